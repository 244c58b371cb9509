from pathlib import Path

import pytest

from torchbench.errors import ArgumentError
from torchbench.settings import Settings


def test_an_empty_environment_is_a_person_at_a_terminal():
    settings = Settings.from_environment({})
    assert (settings.server, settings.sealed, settings.check, settings.store) == (False, False, None, None)
    assert settings.data_root is None
    assert settings.cache is None


def test_every_variable_is_read():
    settings = Settings.from_environment(
        {
            "SOTABENCH_SERVER": "true",
            "SOTABENCH_SEALED": "1",
            "SOTABENCH_DATA_ROOT": "/data",
            "SOTABENCH_STORE_FILENAME": "results.json",
            "SOTABENCH_CHECK": "params",
            "SOTABENCH_CACHE_DIR": "/prepared",
            "XDG_CACHE_HOME": "/memory",
        }
    )
    assert settings == Settings(
        server=True,
        sealed=True,
        data_root=Path("/data"),
        store=Path("results.json"),
        check="params",
        cache=Path("/prepared"),
        remember=Path("/memory/torchbench"),
    )


@pytest.mark.parametrize(("name", "value"), [("SOTABENCH_SERVER", "yes please"), ("SOTABENCH_CHECK", "half")])
def test_a_value_that_means_nothing_is_refused_by_name(name, value):
    with pytest.raises(ArgumentError, match=f"expected {name} to be .*, got '{value}'"):
        Settings.from_environment({name: value})
