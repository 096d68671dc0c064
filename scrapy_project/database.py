"""SQLite or PostgreSQL by URL, safe for several processes at once: what every database of the project opens with."""

import importlib
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

    Insert = sqlite.Insert | postgresql.Insert

BACKENDS = ("sqlite", "postgresql")
BUSY_SECONDS = 30
"""How long a write waits for another process's in SQLite."""
CREATION_LOCK = 7_205_759
"""Any number that no other program locks in the same PostgreSQL database."""


def open_engine(url: str) -> sa.Engine:
    """Return an engine of the database; a SQLite file and its folder are created.

    The password for PostgreSQL is in PGPASSWORD, so that no address that is shown holds it.

    Raises:
        ValueError: the URL names another kind of database.
    """
    address = sa.make_url(url)
    if address.get_backend_name() not in BACKENDS:
        raise ValueError(f"{address.render_as_string()} is not allowed; give an address of {' or '.join(BACKENDS)}")
    if address.drivername == "postgresql":
        # SQLAlchemy's own choice is a driver that the project does not bring.
        address = address.set(drivername="postgresql+pg8000")
    if address.get_backend_name() == "postgresql":
        if address.password is None:  # this driver does not look for it where PostgreSQL's own programs do
            address = address.set(password=os.environ.get("PGPASSWORD"))
        # A crawl may rest for minutes between two pages, and the server may restart meanwhile.
        return sa.create_engine(address, pool_pre_ping=True)
    if address.database and address.database != ":memory:":
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(address, connect_args={"timeout": BUSY_SECONDS})
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def create_tables(engine: sa.Engine, *tables: sa.Table) -> None:
    """Create the tables and their indexes that do not exist yet; any number of processes may do so at once."""
    with engine.begin() as connection:
        # "Does it exist?" is a question for the database alone, and PostgreSQL answers it wrongly to the second of two
        # that ask at the same time.
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(CREATION_LOCK)))
        for table in tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))


def insert_into(engine: sa.Engine, table: sa.Table) -> "Insert":
    """Return an insert in the database's own dialect, which can say what to do with a row that is there already."""
    dialect = importlib.import_module(f"sqlalchemy.dialects.{engine.dialect.name}")
    insert: Insert = dialect.insert(table)
    return insert


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # With the write-ahead log, one can read while another writes, and NORMAL loses nothing to a killed process.
    _use_write_ahead_log(connection)
    connection.execute("PRAGMA synchronous = NORMAL")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Wait like any other write for another process that makes the same new file; this one SQLite refuses at once."""
    ends = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > ends:
                raise
            time.sleep(0.01)
        else:
            return
