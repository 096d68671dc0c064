"""The mails that the project writes: what they say, what they never say, and how often."""

import datetime as dt
import io
import json
import re
from base64 import b64encode
from pathlib import Path

import dagster as dg
import pytest
from rich.console import Console

from lyrics_assets.cli.sessions import Session
from lyrics_assets.mails.drift import mail_drift
from lyrics_assets.mails.evaluation import MISTAKES_SHOWN, mail_report
from lyrics_assets.mails.failures import mail_failures
from lyrics_assets.mails.outcomes import MAX_LINE, MAX_REASON, read_histories, read_outcomes
from lyrics_assets.mails.receipts import Receipts
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.mailer import MailError, OutboxMailer
from lyrics_assets.settings import Settings
from lyrics_assets_tests.mail_parts import REPORT, mailer_out_of_reach, opened, said, store_report
from lyrics_assets_tests.serving.browser import Browser, find_chromium

DAY = dt.date(2026, 11, 24)
NEXT_DAY = dt.date(2026, 11, 25)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def mailer(tmp_path):
    return OutboxMailer(outbox=str(tmp_path / "outbox"), ui_url="https://dagster.example.org")


@pytest.fixture
def lake(tmp_path):
    lake = Lake(root=str(tmp_path / "lake"))
    store_report(lake, "r1", REPORT)
    return lake


def outbox(mailer):
    return sorted(Path(mailer.outbox).iterdir()) if Path(mailer.outbox).exists() else []


# The evaluation report


def test_the_report_is_mailed_with_its_verdict_its_figures_and_its_address(lake, mailer):
    message = opened(mail_report(lake, mailer, "reports/r1"))
    assert message["Subject"] == "Lyrics classifier: version 7, macro-F1 0.612, champion"
    for text in said(message):
        assert "not worse than the champion on the same songs" in text
        for figure in ("0.612", "0.512 to 0.712", "champion so far, version 6", "majority genre", "+0.200", "80 songs"):
            assert figure in text
        assert lake.url("reports/r1/report.html") in text
    assert "https://dagster.example.org/runs/0123-run" in message.get_body(("html",)).get_content()
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == "report.json"
    assert json.loads(attached.get_content()) == REPORT


def test_the_report_names_each_genre_best_first_and_the_surest_mistakes_by_title(lake, mailer):
    for text in said(opened(mail_report(lake, mailer, "reports/r1"))):
        places = [text.index(f"{genre} {f1}") for genre, f1 in (("Samba", "1.00"), ("R&B", "0.33"), ("Axé", "0.00"))]
        assert places == sorted(places)
        assert "no interval" in text
        shown = [number for number in range(12) if f"Canção <b>{number}</b>" in text]
        assert shown == list(range(MISTAKES_SHOWN))


def test_the_pictures_of_a_report_are_within_its_page(lake, mailer):
    message = opened(mail_report(lake, mailer, "reports/r1"))
    pictures = {part["Content-ID"]: part for part in message.get_body(("related",)).iter_attachments()}
    named = re.findall(r'src="cid:([^"]+)"', message.get_body(("html",)).get_content())
    assert [f"<{name}>" for name in named] == list(pictures)
    names = [part.get_filename() for part in pictures.values()]
    assert names == ["confusion_matrix.png", "calibration.png", "learning_curve.png"]
    for part in pictures.values():
        assert part.get_content().startswith(PNG_SIGNATURE)


def test_the_page_of_a_mail_needs_nothing_that_mail_programs_strip(lake, mailer):
    page = opened(mail_report(lake, mailer, "reports/r1")).get_body(("html",)).get_content()
    for stripped in ("<style", "<script", "<svg", "data:", "var(--", "class=", "display:flex", "display:grid"):
        assert stripped not in page


def test_a_report_without_learning_curve_champion_or_mistakes_is_mailed_too(lake, mailer):
    store_report(
        lake, "r2", REPORT | {"champion": None, "mistakes": [], "learning_curve": {"points": [], "skipped": "big"}}
    )
    for text in said(opened(mail_report(lake, mailer, "reports/r2"))):
        assert "champion so far" not in text
        assert "Would more artists help?" not in text


def test_a_report_is_mailed_once_however_often_it_is_asked(lake, mailer):
    first = mail_report(lake, mailer, "reports/r1")
    assert mail_report(lake, mailer, "reports/r1") == first
    assert outbox(mailer) == [Path(first)]


def test_each_report_has_its_own_mail(lake, mailer):
    store_report(lake, "r2", REPORT)
    assert mail_report(lake, mailer, "reports/r1") != mail_report(lake, mailer, "reports/r2")
    assert len(outbox(mailer)) == 2


def test_a_refused_model_is_mailed_as_challenger(lake, mailer):
    refused = {"promoted": False, "reason": "worse than the champion"}
    store_report(lake, "r1", REPORT | {"promotion": refused})
    message = opened(mail_report(lake, mailer, "reports/r1"))
    assert message["Subject"].endswith("challenger")
    assert "Stays challenger: worse than the champion." in said(message)[1].replace(" :", ":")


def test_a_report_that_could_not_be_sent_is_sent_at_the_next_try(lake, mailer):
    with pytest.raises(MailError):
        mail_report(lake, mailer_out_of_reach(), "reports/r1")
    mail_report(lake, mailer, "reports/r1")
    assert len(outbox(mailer)) == 1


def test_a_run_of_the_command_line_tells_that_its_report_was_not_mailed_and_goes_on(tmp_path, stored_instance):
    settings = Settings(home=tmp_path, smtp_host="localhost", smtp_ca_file=str(tmp_path / "authority.pem"))
    store_report(Lake(root=str(tmp_path / "lake")), "r1", REPORT)
    metadata = {"folder": "reports/r1"}
    stored_instance.report_runless_asset_event(dg.AssetMaterialization("evaluation_report", metadata=metadata))
    told = io.StringIO()
    Session(settings, stored_instance, Console(file=told, width=500), verbose=False).mail()
    assert "✘ mail: LYRICS_SMTP_CA_FILE: " in told.getvalue()


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [375, 800])
def test_a_report_is_whole_in_a_narrow_window_and_in_a_wide_one(lake, mailer, tmp_path, width):
    message = opened(mail_report(lake, mailer, "reports/r1"))
    page = message.get_body(("html",)).get_content()
    for part in message.get_body(("related",)).iter_attachments():
        address = f"data:image/png;base64,{b64encode(part.get_content()).decode()}"
        page = page.replace(f"cid:{part['Content-ID'].strip('<>')}", address)
    (tmp_path / "mail.html").write_text(page)
    with Browser(find_chromium(), tmp_path / "profile") as browser, browser.page(width) as shown:
        shown.open((tmp_path / "mail.html").as_uri())
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        assert shown.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        assert shown.evaluate("document.images.length") == 3


# Receipts


def test_a_cause_is_mailed_once_a_day_and_its_repeats_are_told_the_next_day(lake):
    today, tomorrow = Receipts(lake, DAY), Receipts(lake, NEXT_DAY)
    first = today.due("disk full", "run 1")
    assert (first.repeats, first.day) == (0, "")
    today.sign(first, "the outbox")
    assert [today.due("disk full", run) for run in ("run 2", "run 3")] == [None, None]
    second = tomorrow.due("disk full", "run 4")
    assert (second.repeats, second.day) == (2, "2026-11-24")
    tomorrow.sign(second, "the outbox")
    third = Receipts(lake, NEXT_DAY + dt.timedelta(days=3)).due("disk full", "run 5")
    assert (third.repeats, third.day) == (0, "2026-11-25")


def test_other_causes_have_mails_of_their_own(lake):
    receipts = Receipts(lake, DAY)
    receipts.sign(receipts.due("disk full", "run 1"), "the outbox")
    assert receipts.due("no network", "run 1")


def test_an_event_that_is_asked_about_again_is_neither_mailed_nor_counted_twice(lake):
    today, tomorrow = Receipts(lake, DAY), Receipts(lake, NEXT_DAY)
    today.sign(today.due("disk full", "run 1"), "the outbox")
    for receipts in (today, tomorrow):
        assert receipts.due("disk full", "run 1") is None
    for _ in range(3):
        assert today.due("disk full", "run 2") is None
    assert tomorrow.due("disk full", "run 2") is None
    assert tomorrow.due("disk full", "run 3").repeats == 1


def test_a_mail_that_was_not_delivered_leaves_no_receipt(lake):
    receipts = Receipts(lake, DAY)
    assert receipts.due("disk full", "run 1") == receipts.due("disk full", "run 1")
    assert lake.folders("mails") == []


# Failures


class Trouble:
    """What the graph of the tests is to do, run by run."""

    def __init__(self):
        self.error = None
        self.passed = True
        self.severity = dg.AssetCheckSeverity.ERROR


daily = dg.DailyPartitionsDefinition("2026-11-01", end_date="2026-11-30")


@pytest.fixture
def trouble():
    return Trouble()


@pytest.fixture
def job(trouble):
    @dg.asset(key=["raw", "letras"], partitions_def=daily)
    def raw_letras():
        if trouble.error:
            raise trouble.error

    @dg.asset_check(asset=raw_letras)
    def is_whole():
        return dg.AssetCheckResult(passed=trouble.passed, severity=trouble.severity, metadata={"songs": 12})

    @dg.asset_check(asset=raw_letras, blocking=True)
    def is_new():
        return dg.AssetCheckResult(passed=trouble.error is None)

    defs = dg.Definitions(
        assets=[raw_letras],
        asset_checks=[is_whole, is_new],
        jobs=[dg.define_asset_job("extraction_job", selection="*")],
        executor=dg.in_process_executor,
    )
    return defs.resolve_job_def("extraction_job")


def run(job, instance, date):
    """Run the job for a date; return the event that ended it."""
    result = job.execute_in_process(instance=instance, partition_key=date, raise_on_error=False)
    kind = dg.DagsterEventType.RUN_SUCCESS if result.success else dg.DagsterEventType.RUN_FAILURE
    return instance.fetch_run_status_changes(kind, limit=1).records[0]


def mail(record, lake, mailer, instance, day=DAY):
    return mail_failures(mailer, Receipts(lake, day), instance, instance.get_run_by_id(record.run_id), record)


def outcomes(record, instance):
    return read_outcomes(instance, instance.get_run_by_id(record.run_id))


def test_a_failure_is_mailed_with_what_since_when_how_often_the_last_good_date_and_what_to_do(
    job, trouble, instance, lake, mailer
):
    run(job, instance, "2026-11-20")
    trouble.error = dg.Failure("letras 2026-11-21 was not published: 3 of 40 pages failed")
    run(job, instance, "2026-11-21")
    message = opened(mail(run(job, instance, "2026-11-22"), lake, mailer, instance))
    run_id = instance.get_run_records(limit=1)[0].dagster_run.run_id
    assert message["Subject"] == "Lyrics classifier: extraction_job failed for 2026-11-22: raw/letras"
    for text in said(message):
        assert "extraction_job failed for 2026-11-22" in text
        assert "letras 2026-11-21 was not published: 3 of 40 pages failed" in text
        assert re.search(r"fails since:? \d{4}-\d\d-\d\d \d\d:\d\d São Paulo \(2 runs\)", text)
        assert re.search(r"last went well:? \d{4}-\d\d-\d\d \d\d:\d\d São Paulo, for 2026-11-20", text)
        assert "The last good file of the date stays." in text
    assert f"https://dagster.example.org/runs/{run_id}" in message.get_body(("html",)).get_content()


def test_since_when_is_the_first_failure_after_the_last_success(job, trouble, instance):
    trouble.error = ValueError("broken")
    run(job, instance, "2026-11-18")
    trouble.error = None
    run(job, instance, "2026-11-19")
    trouble.error = ValueError("broken")
    first, last = run(job, instance, "2026-11-20"), run(job, instance, "2026-11-21")
    history = read_histories(instance, last.run_id, last.timestamp, ["raw/letras"])["raw/letras"]
    assert history.failures == 2
    assert history.since == pytest.approx(instance.get_run_record_by_id(first.run_id).end_time)
    assert history.last_good_date == "2026-11-19"
    bounded = read_histories(instance, last.run_id, last.timestamp, ["raw/letras"], limit=0)["raw/letras"]
    assert (bounded.failures, bounded.last_good) == (1, None)


def test_the_first_failure_of_all_is_told_so(job, trouble, instance, lake, mailer):
    trouble.error = ValueError("broken")
    for text in said(opened(mail(run(job, instance, "2026-11-20"), lake, mailer, instance))):
        assert "(the first time)" in text
        assert "never in the runs that were looked at" in text


def test_the_same_failure_is_mailed_once_a_day_whatever_its_numbers_and_dates(job, trouble, instance, lake, mailer):
    for date, pages in (("2026-11-20", 3), ("2026-11-21", 14)):
        trouble.error = dg.Failure(f"letras {date} was not published: {pages} of 40 pages failed")
        mail(run(job, instance, date), lake, mailer, instance)
    assert len(outbox(mailer)) == 1
    trouble.error = dg.Failure("the disk is full")
    mail(run(job, instance, "2026-11-22"), lake, mailer, instance)
    assert len(outbox(mailer)) == 2
    trouble.error = dg.Failure("letras 2026-11-23 was not published: 2 of 40 pages failed")
    message = opened(mail(run(job, instance, "2026-11-23"), lake, mailer, instance, NEXT_DAY))
    for text in said(message):
        assert "1 more after the mail of 2026-11-24, of which no mail told" in text


def test_a_failure_that_could_not_be_mailed_is_mailed_at_the_next_try(job, trouble, instance, lake, mailer):
    trouble.error = ValueError("broken")
    record = run(job, instance, "2026-11-20")
    with pytest.raises(MailError):
        mail(record, lake, mailer_out_of_reach(), instance)
    assert mail(record, lake, mailer, instance)
    assert mail(record, lake, mailer, instance) is None


def test_a_check_of_severity_error_is_mailed_though_the_run_succeeded(job, trouble, instance, lake, mailer):
    trouble.passed = False
    message = opened(mail(run(job, instance, "2026-11-20"), lake, mailer, instance))
    expected = "extraction_job succeeded, checks failed for 2026-11-20: raw/letras: is_whole"
    assert message["Subject"] == f"Lyrics classifier: {expected}"
    for text in said(message):
        assert "check raw/letras: is_whole" in text
        assert "songs: 12" in text


def test_a_check_that_only_warns_is_not_mailed(job, trouble, instance, lake, mailer):
    trouble.passed, trouble.severity = False, dg.AssetCheckSeverity.WARN
    assert mail(run(job, instance, "2026-11-20"), lake, mailer, instance) is None
    assert outbox(mailer) == []


def test_a_run_in_which_all_went_well_is_not_mailed(job, instance, lake, mailer):
    assert mail(run(job, instance, "2026-11-20"), lake, mailer, instance) is None


def test_that_a_run_is_tried_again_by_itself_is_told(job, trouble, instance, lake, mailer):
    trouble.error = ValueError("broken")
    tags = {"dagster/will_retry": "true"}
    job.execute_in_process(instance=instance, partition_key="2026-11-20", raise_on_error=False, tags=tags)
    (record,) = instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=1).records
    for text in said(opened(mail(record, lake, mailer, instance))):
        assert "Dagster tries it again by itself." in text


def test_a_run_that_a_blocking_check_failed_is_told_by_the_check_alone(instance):
    @dg.asset
    def songs():
        return None

    @dg.asset_check(asset=songs, blocking=True)
    def are_songs():
        return dg.AssetCheckResult(passed=False, description="no song", metadata={"rows": 3})

    @dg.asset(check_specs=[dg.AssetCheckSpec("agrees", asset="model", blocking=True)])
    def model():
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="agrees", passed=False)])

    defs = dg.Definitions(
        assets=[songs, model], asset_checks=[are_songs], jobs=[dg.define_asset_job("job", selection="*")]
    )
    defs.resolve_job_def("job").execute_in_process(instance=instance, raise_on_error=False)
    (failed,) = instance.get_runs()
    problems = {name: problem for name, problem in read_outcomes(instance, failed).items() if problem}
    assert set(problems) == {"songs: are_songs", "model: agrees"}
    assert problems["songs: are_songs"].reason == "no song\nrows: 3"


def test_a_run_that_failed_as_a_whole_is_told_by_its_job(job, instance):
    failed = instance.create_run_for_job(job, tags={"dagster/partition": "2026-11-20"})
    instance.report_run_failed(failed, "The run worker was killed after 12 s\nsecret details")
    (problem,) = filter(None, read_outcomes(instance, instance.get_run_by_id(failed.run_id)).values())
    assert (problem.name, problem.reason) == ("extraction_job", "The run worker was killed after 12 s")


SECRETS = {"LYRICS_HOPSWORKS_API_KEY": "hw-key-0123456789", "DAGSTER_PG_PASSWORD": "correct horse"}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no login with hw-key-0123456789 at the store"), "ValueError: no login with *** at the store"),
        (OSError("postgresql://ana:segredo@db/pages is away"), "OSError: postgresql://***@db/pages is away"),
        (RuntimeError("password='segredo' is wrong"), "RuntimeError: password='***' is wrong"),
        (RuntimeError("sent Authorization: Bearer segredo.0123"), "RuntimeError: sent Authorization: Bearer ***"),
        (
            RuntimeError("https://s3/x?X-Amz-Signature=segredo&a=1"),
            "RuntimeError: https://s3/x?X-Amz-Signature=***&a=1",
        ),
        (dg.Failure("the password correct horse was refused"), "the password *** was refused"),
        (ValueError("first line\nsegredo of the next"), "ValueError: first line"),
        (ValueError(f"bad lyrics '{'la ' * 30}'"), "ValueError: bad lyrics …"),
    ],
)
def test_a_mail_holds_no_secret_and_no_long_quotation(job, trouble, instance, lake, mailer, monkeypatch, error, told):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    trouble.error = error
    record = run(job, instance, "2026-11-20")
    assert outcomes(record, instance)["raw/letras"].reason == told
    path = mail(record, lake, mailer, instance)
    everything = "".join([*said(opened(path)), *(lake.read_bytes(name).decode() for name in receipts(lake))])
    assert not [secret for secret in (*SECRETS.values(), "segredo", "la la la") if secret in everything]


def receipts(lake):
    return [name for day in lake.folders("mails") for name in lake.names(f"mails/{day}")]


def test_a_mail_is_bounded_and_shows_no_traceback(job, trouble, instance):
    local_value = "a value of a local variable"
    trouble.error = ValueError("x" * 5000 + local_value)
    reason = outcomes(run(job, instance, "2026-11-20"), instance)["raw/letras"].reason
    assert len(reason) == MAX_LINE
    assert "Traceback" not in reason
    trouble.error = dg.Failure("line\n" * 2000)
    assert len(outcomes(run(job, instance, "2026-11-21"), instance)["raw/letras"].reason) == MAX_REASON


def test_of_an_error_that_was_raised_from_another_the_clearer_one_is_told(job, trouble, instance):
    trouble.error = RuntimeError("Hopsworks is out of reach: set LYRICS_HOPSWORKS_HOST")
    trouble.error.__cause__ = OSError("errno 111")
    reason = outcomes(run(job, instance, "2026-11-20"), instance)["raw/letras"].reason
    assert reason == "RuntimeError: Hopsworks is out of reach: set LYRICS_HOPSWORKS_HOST"


def test_a_failure_is_shown_as_text_whatever_it_holds(job, trouble, instance, lake, mailer):
    trouble.error = dg.Failure("<script>alert(1)</script>")
    message = opened(mail(run(job, instance, "2026-11-20"), lake, mailer, instance))
    assert "<script" not in message.get_body(("html",)).get_content()
    assert "<script>alert(1)</script>" in said(message)[1]


# Drift


MEASURES = {
    "vocabulary": {"seen": 0.41234, "allowed": 0.35, "unit": "Jensen-Shannon distance, 0 to 1"},
    "length": {"seen": 0.1, "allowed": 0.25},
    "performance": {"seen": -0.2, "allowed": -0.1, "bound": "at least"},
    "data_age": {"seen": 5, "allowed": 3},
}


def drifted(lake, stored_instance, names=("performance", "vocabulary"), date="2026-11-24", **more):
    report = {"date": date, "drifted": list(names), "warned": ["data_age"], "measures": MEASURES}
    path = lake.write_json(f"reports/drift/{date}.json", report)
    metadata = {"date": date, "drifted": list(names), "report": dg.MetadataValue.path(path), **more}
    stored_instance.report_runless_asset_event(dg.AssetMaterialization("drift_report", metadata=metadata))
    return stored_instance.fetch_materializations(dg.AssetKey("drift_report"), limit=1).records[0]


def test_drift_is_mailed_with_each_measure_and_its_bound(lake, mailer, stored_instance):
    message = opened(mail_drift(lake, mailer, Receipts(lake, DAY), stored_instance, drifted(lake, stored_instance)))
    assert message["Subject"] == "Lyrics classifier: 2026-11-24 has drifted: performance, vocabulary"
    for text in said(message):
        told, others = text.split("The other measures")
        assert re.search(r"vocabulary ?: 0.412 seen, at most 0.350 allowed \(Jensen-Shannon distance, 0 to 1\)", told)
        assert re.search(r"performance ?: -0.200 seen, at least -0.100 allowed", told)
        assert "length" in others
        assert "length" not in told
        assert re.search("data age.* 5 .*at most 3 .*warning", others)
        assert lake.url("reports/drift/2026-11-24.json") in text
        assert "No retraining was asked for: the sensor retrain_on_drift is off." in text


def test_no_drift_is_not_mailed(lake, mailer, stored_instance):
    assert (
        mail_drift(lake, mailer, Receipts(lake, DAY), stored_instance, drifted(lake, stored_instance, names=())) is None
    )
    assert outbox(mailer) == []


def test_the_drift_of_an_old_date_that_is_judged_again_is_not_mailed(lake, mailer, stored_instance):
    record = drifted(lake, stored_instance, is_newest=False)
    assert mail_drift(lake, mailer, Receipts(lake, DAY), stored_instance, record) is None


def test_the_drift_of_a_date_is_mailed_once_a_day(lake, mailer, stored_instance):
    for _ in range(2):
        mail_drift(lake, mailer, Receipts(lake, DAY), stored_instance, drifted(lake, stored_instance))
    assert len(outbox(mailer)) == 1
    mail_drift(lake, mailer, Receipts(lake, DAY), stored_instance, drifted(lake, stored_instance, date="2026-11-25"))
    assert len(outbox(mailer)) == 2


def test_drift_is_mailed_though_its_report_was_removed(lake, mailer, stored_instance):
    record = drifted(lake, stored_instance)
    (Path(lake.root) / "reports/drift/2026-11-24.json").unlink()
    assert "vocabulary" in said(opened(mail_drift(lake, mailer, Receipts(lake, DAY), stored_instance, record)))[0]
