"""Who may import whom. Read from the source, so an import inside a function counts too."""

import ast
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = ("device", "training", "export", "bench")

# Foreign library -> the only places that may import it. A file: one driver, one file.
ONLY_IN = {
    "alsaaudio": ("device/audio/alsa.py",),
    "sounddevice": ("device/audio/portaudio.py",),
    "gpiozero": ("device/panel/gpio.py",),
    "lgpio": ("device/panel/gpio.py",),
    "gpiod": ("device/panel/gpio.py",),
    "adafruit_ads1x15": ("device/panel/adc.py",),
    "alsa_midi": ("device/midi/ports.py",),
    "rtmidi": ("device/midi/ports.py",),
    "mido": ("device/control/files.py", "device/midi/", "training/patterns/"),
    "onnxruntime": ("device/models/", "export/", "bench/"),
    "starlette": ("device/simulator/",),
    "uvicorn": ("device/simulator/",),
    "websockets": ("device/simulator/", "bench/"),
    "asyncio": ("device/simulator/", "bench/"),
    "torch": ("training/", "export/", "bench/"),
    "lightning_fabric": ("training/",),
    "matplotlib": ("training/",),
    "soundfile": ("training/", "export/", "bench/"),
    "pooch": ("training/patterns/download.py",),
    "onnx": ("export/", "bench/"),
    "onnxscript": ("export/",),
}
# The engine knows numbers and records, and nothing of the world.
ENGINE_MAY = {
    "abc", "array", "bisect", "collections", "dataclasses", "enum", "functools", "heapq", "itertools", "math",
    "operator", "struct", "typing", "numpy", "device.contract", "device.engine", "device.errors",
}  # fmt: skip
WORLD = {"open", "print", "input", "exec", "eval", "__import__"}


def sources(*folders):
    return sorted(path for folder in folders for path in (CHECKOUT / folder).rglob("*.py"))


@cache
def imports(path):
    """Every module a file imports, ``from a.b import c`` as both a.b and a.b.c."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; say where it comes from"
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def within(module, names):
    return any(module == name or module.startswith(f"{name}.") for name in names)


def offenders(folder, allowed):
    return [
        f"{path.relative_to(CHECKOUT)} imports {module}"
        for path in sources(folder)
        for module in imports(path)
        if not allowed(module)
    ]


def test_there_is_something_to_look_at():
    assert len(sources("device")) > 20
    assert len(sources("training")) > 20
    assert "device.errors" in set(imports(CHECKOUT / "device" / "cli.py"))


def test_the_device_never_imports_torch_training_or_export():
    assert (
        offenders("device", lambda module: not within(module, ("torch", "training", "export", "bench", "tests"))) == []
    )


def test_training_does_not_know_export_and_nothing_knows_bench_or_tests():
    assert offenders("training", lambda module: not within(module, ("export", "bench", "tests"))) == []
    assert offenders("export", lambda module: not within(module, ("bench", "tests"))) == []


def test_the_contract_needs_only_the_standard_library_numpy_and_msgspec():
    ours = ("numpy", "msgspec", "device.contract", "device.errors")
    version = ("device", "device.__version__")

    def allowed(module):
        return within(module, ours) or module in version or module.split(".")[0] in sys.stdlib_module_names

    assert offenders("device/contract", allowed) == []


def test_the_contract_starts_no_thread_and_opens_no_socket():
    world = ("threading", "socket", "asyncio", "subprocess", "multiprocessing", "logging")
    assert offenders("device/contract", lambda module: not within(module, world)) == []


def test_the_engine_imports_no_clock_thread_file_or_driver():
    assert offenders("device/engine", lambda module: within(module, ENGINE_MAY)) == []


def test_the_engine_calls_nothing_that_reaches_into_the_world():
    found = [
        f"{path.name}:{node.lineno} {node.func.id}"
        for path in sources("device/engine")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WORLD
    ]
    assert found == []


@pytest.mark.parametrize("library", ONLY_IN)
def test_each_foreign_library_is_imported_only_where_it_belongs(library):
    found = [
        str(path.relative_to(CHECKOUT))
        for path in sources(*PACKAGES)
        if any(within(module, (library,)) for module in imports(path))
    ]
    assert [path for path in found if not path.startswith(ONLY_IN[library])] == []


def test_control_does_not_know_the_simulator_nor_the_simulator_the_audio_process():
    assert offenders("device/control", lambda module: not within(module, ("device.simulator",))) == []
    assert offenders("device/simulator", lambda module: not within(module, ("device.audio.process",))) == []


FORBIDDEN_IN_AUDIO = (
    "onnxruntime", "asyncio", "torch", "mido", "starlette", "uvicorn", "rich",
    "device.simulator", "device.models", "device.control", "device.panel", "device.midi",
)  # fmt: skip


def loaded_by(statement):
    code = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    return json.loads(done.stdout)


def test_the_audio_process_loads_neither_models_nor_page_nor_control():
    loaded = loaded_by("import device.audio.process")
    assert "device.engine.records" in loaded
    assert [module for module in loaded if within(module, FORBIDDEN_IN_AUDIO)] == []


def test_the_command_line_loads_no_command_before_it_is_asked_for():
    loaded = loaded_by("import device.cli")
    heavy = ("numpy", "onnxruntime", "torch", "device.simulator", "device.models", "device.control", "device.audio")
    assert [module for module in loaded if within(module, heavy)] == []


def test_the_training_command_line_asks_for_torch_only_when_it_trains():
    assert "torch" not in loaded_by("import training.cli")
