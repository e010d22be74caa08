"""How commands are called, and how they end when they are called wrongly. What they do is tried in `tests/deploy`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from rosterwatch.causes import CAUSES
from rosterwatch.cli import rosterwatch_command

PROGRAM = str(Path(sys.executable).with_name("rosterwatch"))


def run(*arguments: str, given: str | None = None) -> tuple[int, str]:
    ended = CliRunner().invoke(rosterwatch_command, arguments, input=given)
    return ended.exit_code, ended.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("explain",), "Name a cause"),
        (("explain", "credentials_revoked", "--all"), "Name a cause"),
        (("explain", "credential_revoked"), "Did you mean credentials_revoked"),
        (("explain", "zzzzzz"), "There is no cause zzzzzz."),
        (("status", "a b"), "a district's name consists of"),
        (("add", "springfield; rm"), "a district's name consists of"),
        (("mute",), "Missing argument"),
        (("recheck", "a", "--timeout", "0"), "--timeout"),
        (("check", "--stack", "x"), "Name a DISTRICT of the stack"),
        (("check", "springfield", "--url", "https://district.example.org/aeries"), "what is stored for it"),
        (("add", "springfield", "--csv", "nowhere.csv"), "does not exist"),
        (("statuses",), "No such command"),
        (("status", "--jsn"), "--json"),
    ],
)
def test_bad_usage_is_a_sentence_and_exit_code_two(arguments: tuple[str, ...], words: str) -> None:
    code, said = run(*arguments)
    assert code == 2
    assert words in said


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_is_explained_in_markdown(cause: str) -> None:
    code, said = run("explain", cause)
    assert code == 0
    assert said.startswith(f"## {cause}\n")
    assert "1. " in said


@pytest.mark.parametrize("command", rosterwatch_command.commands)
def test_no_option_takes_a_secret(command: str) -> None:
    code, said = run(command, "--help")
    assert code == 0
    for option in ("--consumer-secret ", "--password", "--token ", "--bearer-token ", "--api-certificate "):
        assert option not in said


def test_an_answer_is_the_next_line_of_standard_input_and_a_wrong_one_ends_the_command() -> None:
    questions = "ask('First'), ask('Second', default='none'), ask('Third', hidden=True)"
    script = f"from rosterwatch.terminal import ask\nprint({questions})\nask('Fourth')"
    done = subprocess.run([sys.executable, "-c", script], input=" a \n\nc\n", capture_output=True, text=True, check=False)
    assert done.stdout == "a none c\n"
    assert "Standard input ended before the answer to: Fourth." in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is a thing of POSIX")
def test_at_a_terminal_a_wrong_answer_is_asked_for_again_and_a_secret_is_not_echoed() -> None:
    script = (
        "from rosterwatch import intake\n"
        "from rosterwatch.providers import PROVIDERS\n"
        "given = intake.ask_for_everything(PROVIDERS['aeries'])\n"
        "print('done', len(given), sum(map(len, given.values())))"
    )
    keyboard, terminal = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    )
    os.close(terminal)
    shown = ""
    try:
        for question, answer in (
            ("URL: ", "http://district.example.org/aeries"),
            ("https", "https://district.example.org/aeries"),
            ("none): ", ""),
            ("Consumer ID: ", "id-1234"),
            ("Consumer Secret: ", "hidden-s3cret"),
            ("done 3", ""),
        ):
            begun = len(shown)
            while question not in shown[begun:]:
                shown += os.read(keyboard, 1024).decode()
            os.write(keyboard, f"{answer}\n".encode())
    finally:
        process.wait(20)
        os.close(keyboard)
    assert "hidden-s3cret" not in shown
    assert "Error: the URL" in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_get_their_completion(shell: str) -> None:
    environment = {**os.environ, "_ROSTERWATCH_COMPLETE": f"{shell}_source"}
    done = subprocess.run([PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert "rosterwatch" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_cause_is_completed() -> None:
    environment = {
        **os.environ,
        "_ROSTERWATCH_COMPLETE": "bash_complete",
        "COMP_WORDS": "rosterwatch explain cred",
        "COMP_CWORD": "2",
    }
    done = subprocess.run([PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert "credentials_revoked" in done.stdout


def test_a_reader_who_leaves_early_gets_no_traceback() -> None:
    done = subprocess.run(["bash", "-c", f"{PROGRAM} explain --all | head -1"], capture_output=True, text=True, check=False)
    assert done.stdout == "# Causes\n"
    assert "Traceback" not in done.stderr


def test_a_secret_that_is_pasted_where_a_file_or_a_name_belongs_is_not_repeated() -> None:
    secret = "5e" * 32
    for arguments in (
        ("add", "springfield", "--secret", f'{{"consumer_secret": "{secret}"}}'),
        ("check", "--url", "https://sis.example.org/aeries", "--consumer-id", "1", "--consumer-secret-file", secret),
        ("rotate", "springfield", secret),
        ("explain", secret),
        (secret,),
        (f"--{secret}",),
    ):
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "Error: " in done.stderr
        assert secret not in done.stdout + done.stderr, arguments


def test_a_mistake_of_ours_is_told_by_its_place_and_not_by_its_words() -> None:
    # As a program of its own, since this is how it ends.
    program = (
        "import sys\n"
        "from rosterwatch import cli\n"
        "def broken(**_): raise KeyError('hidden-s3cret')\n"
        "cli.explain.callback = broken\n"
        "sys.argv = ['rosterwatch', 'explain', 'credentials_revoked']\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert "hidden-s3cret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "KeyError at " in done.stderr
    assert "<string>:3" in done.stderr


def test_colours_are_for_terminals_only() -> None:
    done = subprocess.run([PROGRAM, "providers"], capture_output=True, text=True, check=False)
    assert "\x1b[" not in done.stdout


def test_a_check_of_a_server_does_not_wait_for_the_aws_client_to_load() -> None:
    script = "import sys, rosterwatch.cli; sys.exit('boto3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
