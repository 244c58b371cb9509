import os

import pytest
import torch

from sotabencheval.utils import change_root_if_server, get_max_memory_allocated, is_server, set_env_on_server

pytestmark = pytest.mark.usefixtures("environment")


def test_at_home_nothing_is_the_platforms(monkeypatch):
    monkeypatch.delenv("FOR_THE_SERVER", raising=False)
    assert is_server() is False
    assert change_root_if_server(root="~/data", server_root="./.data") == "~/data"
    assert set_env_on_server("FOR_THE_SERVER", 8) is False
    assert "FOR_THE_SERVER" not in os.environ


def test_on_a_platform_root_and_variables_are_the_platforms(environment, monkeypatch):
    monkeypatch.setenv("FOR_THE_SERVER", "before")
    environment(SOTABENCH_SERVER="true")
    assert is_server() is True
    assert change_root_if_server(root="~/data", server_root="./.data") == "./.data"
    assert set_env_on_server("FOR_THE_SERVER", 8) is True
    assert os.environ["FOR_THE_SERVER"] == "8"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_without_cuda_there_is_no_memory_figure():
    assert get_max_memory_allocated() is None
