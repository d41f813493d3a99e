"""What a training shows: plain lines in a log, a bar on a terminal, nothing from the helpers."""

import io

from rich.console import Console

from training.progress import TrainingProgress


def shown(*, terminal=False, quiet=False):
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=120)
    with TrainingProgress(console, 10, quiet) as progress:
        progress.advance(5, 0.25)
        progress.say(5, {"loss": 0.125, "hit_f1": 0.9})
        progress.advance(10, 0.1)
    return text.getvalue()


def test_a_log_gets_one_plain_line_an_evaluation():
    assert shown() == "step 5  loss 0.1250  hit_f1 0.9000\n"


def test_a_terminal_gets_a_bar_too():
    text = shown(terminal=True)
    assert "step 5  loss 0.1250" in text
    assert "10/10" in text
    assert "loss 0.1000" in text


def test_a_process_that_is_not_the_first_says_nothing():
    assert shown(quiet=True) == shown(quiet=True, terminal=True) == ""
