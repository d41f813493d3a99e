import pytest

from device.cli import main
from device.models.library import factory_path


def test_show_is_a_page_with_name_styles_sizes_quality_and_credits(capsys):
    assert main(["bundle", "show", str(factory_path())]) == 0
    page = capsys.readouterr().out
    for word in ("version", "styles", "int8", "hit F1", "log-mel", "Trained on", "Apache-2.0"):
        assert word in page


def test_verify_says_one_line(capsys):
    assert main(["bundle", "verify"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("factory.latido: good.")
    assert out.count("\n") == 1


@pytest.mark.parametrize("action", ["show", "verify"])
def test_a_bad_file_is_one_sentence_and_exit_code_1(tmp_path, capsys, action):
    path = tmp_path / "torn.latido"
    path.write_bytes(factory_path().read_bytes()[:-1000])
    assert main(["bundle", action, str(path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("latido bundle: torn.latido is cut short")
    assert said.err.count("\n") == 1
