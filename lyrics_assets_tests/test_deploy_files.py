"""The files of deploy/: what they say agrees with the project and with each other."""

import os
import re
import shutil
import subprocess

import httpx
import pytest
import yaml
from dotenv import dotenv_values

from lyrics_assets.serving.settings import ServiceSettings
from lyrics_assets.settings import ROOT, Settings
from lyrics_assets_tests.hopsworks_server.certificates import make_certificates
from lyrics_assets_tests.production import COMPOSE
from lyrics_assets_tests.serving.parts import free_port

DEPLOY = ROOT / "deploy"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin")
OURS = {f"LYRICS_{name.upper()}" for name in Settings.model_fields}
OURS |= {f"LYRICS_SERVICE_{name.upper()}" for name in ServiceSettings.model_fields}
OTHERS = {
    *("PGPASSWORD", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP"),
    *("DAGSTER_DATABASE_URL", "DAGSTER_LOG_BUCKET", "DAGSTER_CODE_HOST", "DAGSTER_CODE_PORT"),
    *("DAGSTER_GRPC_HOST", "DAGSTER_GRPC_PORT", "DAGSTER_WEBSERVER_HOST", "DAGSTER_WEBSERVER_PORT"),
    *("MLFLOW_HOST", "MLFLOW_PORT", "MLFLOW_BACKEND_STORE_URI", "MLFLOW_ARTIFACTS_DESTINATION"),
    *("MLFLOW_SERVER_ALLOWED_HOSTS", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"),
}
"""Variables of PostgreSQL's image, of every S3 client, of Dagster's and MLflow's programs, and of deploy/'s files."""
TERM = re.compile(r"_CRON$|KEEP_|STALE_AFTER_")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|KEY")


def read(name):
    return (DEPLOY / name).read_text(encoding="utf-8")


def services():
    return COMPOSE["services"]


def test_every_variable_that_is_named_is_one_that_somebody_reads():
    named = {name for service in services().values() for name in service.get("environment", {})}
    named |= set(re.findall(r"\$\{(\w+)", read("compose.yaml")))
    assert "LYRICS_LAKE_URL" in named
    assert named - OURS - OTHERS == set()


def test_every_variable_that_has_no_value_is_in_the_example_and_the_reverse():
    valueless = {
        name
        for service in services().values()
        for name, value in service.get("environment", {}).items()
        if value is None or "${" in value
    }
    assert valueless - {"POSTGRES_PASSWORD"} == set(dotenv_values(DEPLOY / ".env.example"))


def test_no_secret_has_a_value_in_any_file():
    for name, value in dotenv_values(DEPLOY / ".env.example").items():
        assert not (SECRET.search(name) and value), name
    for service in services().values():
        for name, value in service.get("environment", {}).items():
            assert not SECRET.search(name) or value is None or value.startswith("${"), name


def test_the_dagster_configuration_reads_no_variable_that_its_services_do_not_have():
    for name in ("dagster.yaml", "workspace.yaml"):
        wanted = set(re.findall(r"env: (\w+)", read(name)))
        assert wanted
        for service in ("webserver", "daemon"):
            assert wanted <= set(services()[service]["environment"]), (name, service)
    assert set(re.findall(r"env: (\w+)", read("dagster.yaml"))) <= set(services()["code"]["environment"])


def test_images_are_pinned_by_version_and_the_project_s_own_is_built():
    for name, service in services().items():
        assert re.fullmatch(r"[\w/-]+:\d+\.\d+(\.\d+)?(-alpine)?", service["image"]), name
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    own = {service["image"] for service in services().values() if "build" in service}
    assert own == {f"lyrics-classifier:{version}"}
    froms = re.findall(r"^FROM (\S+)", read("Dockerfile"), re.MULTILINE)
    assert froms
    assert all(re.search(r":\d+\.\d+\.\d+-", image) for image in froms)


def test_ports_are_published_on_loopback_alone():
    published = [port for service in services().values() for port in service.get("ports", [])]
    assert len(published) == 3
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_services_wait_for_services_that_are_there_and_volumes_are_declared():
    for service in services().values():
        for other, condition in service.get("depends_on", {}).items():
            assert other in services()
            assert condition["condition"] != "service_healthy" or "healthcheck" in services()[other]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).is_file()


def test_what_runs_at_once_and_what_is_kept_is_as_in_the_embedded_instance():
    deployed, embedded = yaml.safe_load(read("dagster.yaml")), yaml.safe_load((ROOT / "dagster.yaml").read_text())
    deployed["concurrency"]["runs"].pop("max_concurrent_runs")
    for part in ("concurrency", "retention", "telemetry", "nux"):
        assert deployed[part] == embedded[part], part


def test_times_and_terms_of_the_example_are_those_without_it():
    told = {name: value for name, value in dotenv_values(DEPLOY / ".env.example").items() if TERM.search(name)}
    assert {f"LYRICS_{name.upper()}" for name in Settings.model_fields if TERM.search(name.upper())} == set(told)
    assert Settings.from_environment(told) == Settings()


def test_what_the_image_copies_is_there():
    kept = set(re.findall(r"^!(\S+)", read("Dockerfile.dockerignore"), re.MULTILINE))
    assert {name for name in kept if not (ROOT / name).exists()} == set()
    assert "deploy/.env" in read("Dockerfile.dockerignore")
    assert {"bentofile.yaml", "sweep.yaml", "scrapy.cfg", "lyrics_assets", "scrapy_project"} <= kept


def test_the_proxy_is_the_documented_one():
    documented = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```nginx\n(.*?)```", documented, re.DOTALL)
    deployed = "".join(line for line in read("nginx.conf").splitlines(keepends=True) if not line.startswith("# "))
    for ours, theirs in (("bento-1:3001", "127.0.0.1:3001"), ("bento-2:3001", "127.0.0.1:3002")):
        deployed = deployed.replace(ours, theirs)
    deployed = deployed.replace("listen 8080", "listen 127.0.0.1:8080").replace("    access_log off;\n", "")
    assert deployed == block


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx-light)")
def test_nginx_understands_the_proxy(tmp_path):
    text = read("nginx.conf").replace("bento-1:", "127.0.0.1:").replace("bento-2:", "127.0.0.1:")
    text = text.replace("listen 8080", f"listen 127.0.0.1:{free_port()}")
    config = tmp_path / "nginx.conf"
    config.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{text}}}\n")
    done = subprocess.run([NGINX, "-t", "-c", config, "-p", tmp_path, "-e", "stderr"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def login(tmp_path):
    """Run nginx with the login's configuration before a page on loopback; return who asks it."""
    if NGINX is None:
        pytest.skip("nginx is not installed (Debian: apt-get install nginx-light)")
    tls = make_certificates().server
    (tmp_path / "tls.crt").write_bytes(tls.certificate)
    (tmp_path / "tls.key").write_bytes(tls.key)
    (tmp_path / "htpasswd").write_text("ana:{PLAIN}right\n")
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("the UI")
    port, behind = free_port(), free_port()
    text = read("nginx-login.conf").replace("listen 443", f"listen 127.0.0.1:{port}")
    text = re.sub(r"/etc/nginx/tls/\w+\.(crt|key)", rf"{tmp_path}/tls.\1", text)
    text = text.replace("/etc/nginx/lyrics.htpasswd", f"{tmp_path}/htpasswd")
    text = re.sub(r"(?<=proxy_pass http://127\.0\.0\.1:)\d+", str(behind), text)
    # Behind it stands nginx too, with a page.
    text += f"server {{ listen 127.0.0.1:{behind}; root {tmp_path}/page; }}"
    config = tmp_path / "nginx.conf"
    own = " ".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(
        f"{user} daemon off; pid {tmp_path}/pid; worker_processes 1;\n"
        f"events {{}}\nhttp {{ access_log off; {own}\n{text}}}\n"
    )
    process = subprocess.Popen([NGINX, "-c", config, "-p", tmp_path, "-e", "stderr"])
    try:
        transport = httpx.HTTPTransport(verify=False, retries=8)
        with httpx.Client(base_url=f"https://127.0.0.1:{port}", transport=transport) as client:
            yield client
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.mark.parametrize("host", ["dagster.example.org", "mlflow.example.org"])
def test_the_uis_of_others_are_behind_a_login_and_answer_no_page_of_another_site(login, host):
    own, ana = {"Host": host}, ("ana", "right")
    assert login.get("/", headers=own).status_code == 401
    assert login.get("/", headers=own, auth=("ana", "wrong")).status_code == 401
    answer = login.get("/", headers=own, auth=ana)
    assert (answer.status_code, answer.text) == (200, "the UI")
    assert answer.headers["X-Frame-Options"] == "DENY"
    for site, status in (("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)):
        assert login.get("/", headers=own | {"Sec-Fetch-Site": site}, auth=ana).status_code == status
