"""Makes engine_kit importable and gives every test a player with the synthetic kit."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from engine_kit import new_player


@pytest.fixture
def player():
    return new_player()
