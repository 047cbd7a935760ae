"""What stands between user and model works, or is refused in one sentence that names cause and key, at once."""

import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.fault_runs import (
    START_S,
    assert_answered,
    assert_told_at_once,
    assert_within,
    describe,
    errors,
    evidence,
    run,
    with_cases,
)
from tests.project import Fake, Project, fake_server
from tests.variants import rest_is_long

pytestmark = [pytest.mark.end_to_end, pytest.mark.until("record")]

SECRET = "s3cret-word"
PUBLIC = "8.8.8.8"
PREFLIGHT = ("narrative-runs", "preflight")


@pytest.mark.parametrize(
    "variant",
    rest_is_long(
        [
            "wrong key",
            "firewall",
            "not found",
            "not implemented",
            "internal error",
            "login page",
            "slow list",
            "list of others",
            "first page of a list",
            "name without its variant",
            "name in a folder",
            "empty list",
            "list of null",
            "list without names",
            "list that is no JSON",
        ],
        3,
    ),
)
def test_a_list_of_models_is_not_the_whole_truth(project: Project, fake: Fake, variant: str) -> None:
    """Whatever the list of models is, a model that answers is asked."""
    with_cases(project, fake, 2)
    fake.behave(faults=[{"fault": variant, "at": "models"}])
    ended = run(project, fake, *PREFLIGHT)
    assert ended.code == 0, ended.said
    assert_within(ended, 15 - START_S)
    assert fake.asked == 2


def test_a_model_that_is_not_listed_is_tried_first(project: Project, fake: Fake) -> None:
    """A whole run with a model that the list does not name costs two short questions more: does it answer, and under
    any name?"""
    with_cases(project, fake, 6)
    fake.behave(faults=[{"fault": "list of others", "at": "models"}])
    ended = run(project, fake)
    assert ended.code == 0, ended.said
    assert_answered(project, 6)
    assert evidence(fake) == 2


def test_a_query_in_the_address_stays_where_it_belongs(project: Project, fake: Fake) -> None:
    """An address with a query is asked with it, for chat and list alike."""
    with_cases(project, fake, 4)
    describe(project, f"{fake.origin}/openai/deployments/fake?api-version=2024-10-21")
    ended = run(project, fake)
    assert ended.code == 0, ended.said
    paths = [f"/openai/deployments/fake/{end}?api-version=2024-10-21" for end in ("chat/completions", "models")]
    assert fake.calls()["targets"] == paths


@pytest.mark.parametrize(("variable", "scheme"), [("ALL_PROXY", "http"), ("HTTPS_PROXY", "https")])
@pytest.mark.long
def test_a_socks_proxy_is_refused(project: Project, fake: Fake, variable: str, scheme: str) -> None:
    """A SOCKS proxy in the environment is refused by its variable's name, at the start and on a resume."""
    with_cases(project, fake, 6)
    project.environment[variable] = "socks5://127.0.0.1:1080"
    away = f"{scheme}://{PUBLIC}/v1"
    describe(project, away, model={"allow_remote": True})
    assert_told_at_once(run(project, fake), variable.lower(), "SOCKS")
    assert project.written() == []
    describe(project, fake.url, run={"max_narratives": 2})
    assert run(project, fake).code == 0
    describe(project, away, model={"allow_remote": True})
    assert_told_at_once(run(project, fake), variable.lower(), "SOCKS")


@pytest.mark.long
def test_parameters_of_null_are_not_sent(project: Project, fake: Fake) -> None:
    """A parameter that the server refuses is named with the key that leaves it out; set to null, it is not sent."""
    with_cases(project, fake, 4)
    fake.behave(faults=[{"fault": "no temperature", "only_with": "temperature"}])
    assert_told_at_once(run(project, fake), "model.temperature: null", "Unsupported parameter")
    nothing = {"temperature": None, "max_tokens": None}
    describe(project, fake.url, model=nothing, run={"seed": None})
    ended = run(project, fake)
    assert ended.code == 0, ended.said
    assert_answered(project, 4)
    assert set(fake.calls()["bodies"][-1]) == {"model", "messages", "response_format"}


@pytest.mark.parametrize(
    ("fault", "words"),
    rest_is_long(
        [
            ("no such endpoint", ["/v1", "model.api_url", "Unexpected endpoint"]),
            ("login page", ["login page", "model.api_url"]),
            ("stream", ["stream"]),
            ("firewall", ["403", "model.api_url", "Access denied"]),
            ("not found", ["404", "model.api_url"]),
        ],
        2,
    ),
)
@pytest.mark.parametrize("at", rest_is_long(["chat", "everywhere"]))
def test_no_model_server_at_the_address(project: Project, fake: Fake, fault: str, words: list[str], at: str) -> None:
    """What is no model server is told for what it is, at once, and nothing is blamed on a key that was not set."""
    with_cases(project, fake, 4)
    fake.behave(faults=[{"fault": fault, "at": at}])
    ended = run(project, fake)
    assert_told_at_once(ended, *words)
    assert "LLM_API_KEY" not in ended.said
    assert fake.asked <= 8


@pytest.mark.parametrize("at", rest_is_long(["chat", "everywhere"]))
def test_a_server_that_loads_its_model_is_waited_for(project: Project, fake: Fake, at: str) -> None:
    """A server that still loads its model is waited for, which is told."""
    with_cases(project, fake, 4)
    fake.behave(faults=[{"fault": "still loading", "at": at, "for_s": 4}])
    ended = run(project, fake)
    assert ended.code == 0, ended.said
    assert_answered(project, 4)
    assert "[WAITING]" in ended.said and "503" in ended.said


def test_a_proxy_out_of_patience_is_told_as_one(project: Project, fake: Fake) -> None:
    """A proxy that waits too short for each answer is told as that, with its seconds."""
    with_cases(project, fake, 8, run={"give_up_after_s": 4})
    fake.behave(faults=[{"fault": "proxy out of patience"}])
    ended = run(project, fake)
    assert ended.code == 1, ended.said
    assert "504" in ended.said and "no longer than 1 s" in ended.said
    assert errors(project) == {}


@pytest.mark.parametrize(
    ("address", "words"),
    rest_is_long(
        [
            (f"http://user:{SECRET}@{{host}}/v1", "password"),
            (f"http://{{host}}/v1?api-key={SECRET}", "api-key"),
        ]
    ),
)
def test_a_secret_in_the_address_is_refused(project: Project, fake: Fake, address: str, words: str) -> None:
    """A password or key in the address is refused with the way that works, and is in no output and no file."""
    with_cases(project, fake, 4)
    describe(project, address.format(host=fake.origin.removeprefix("http://")))
    for ended in (run(project, fake), run(project, fake, *PREFLIGHT)):
        assert_told_at_once(ended, "model.api_url", words, "LLM_API_KEY")
        assert SECRET not in ended.said
    assert fake.asked + evidence(fake) == 0
    assert _files_with(project.folder, SECRET) == [project.folder / "params.yaml"]


def test_a_budget_that_cannot_be_counted_is_refused(project: Project, fake: Fake) -> None:
    """A budget at a server that counts no tokens is refused at the first answer."""
    with_cases(project, fake, run={"budget_tokens": 1000, "max_in_flight": 2})
    fake.behave(faults=[{"fault": "usage of null"}])
    ended = run(project, fake)
    assert_told_at_once(ended, "run.budget_tokens", "does not report tokens")
    assert fake.asked <= 4


@pytest.mark.long
def test_a_private_authority_is_honoured(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A certificate of a private authority is trusted where SSL_CERT_FILE names it, and else refused as untrusted."""
    authority, certificate = _certificates(tmp_path_factory.mktemp("certificates"))
    with fake_server(certificate=str(certificate)) as fake:
        with_cases(project, fake, 4)
        describe(project, f"https://127.0.0.1:{fake.calls()['tls_port']}/v1")
        ended = run(project, fake)
        assert ended.code == 1 and "certificate is not trusted" in ended.said, ended.said
        project.environment["SSL_CERT_FILE"] = str(authority)
        for command in ((), PREFLIGHT):
            ended = run(project, fake, *command)
            assert ended.code == 0, ended.said
        assert_answered(project, 4)


def _files_with(folder: Path, text: str) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if text.encode() in path.read_bytes()]


def _certificates(folder: Path) -> tuple[Path, Path]:
    """The certificate of an authority, and a file with key and certificate that it gave to 127.0.0.1."""
    authority, signed, both = (folder / name for name in ("authority.pem", "server.pem", "both.pem"))
    (folder / "extension.txt").write_text("subjectAltName=IP:127.0.0.1\n")

    def openssl(words: str) -> None:
        try:
            subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("the program openssl, which makes certificates, is not installed")

    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -keyout authority.key -out authority.pem -subj /CN=authority")
    openssl("req -newkey rsa:2048 -nodes -keyout server.key -out request.pem -subj /CN=127.0.0.1")
    openssl(
        "x509 -req -days 2 -in request.pem -CA authority.pem -CAkey authority.key -CAcreateserial "
        "-extfile extension.txt -out server.pem"
    )
    both.write_text((folder / "server.key").read_text() + signed.read_text())
    return authority, both
