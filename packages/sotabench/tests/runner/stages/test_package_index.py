"""What the machine's pip and uv are told reaches uv inside, and no secret reaches a stranger."""

import sys
from pathlib import Path

import pytest

from sotabench.runner.egress import Rules
from sotabench.runner.egress.index import usual_places
from sotabench.runner.package_index import NOWHERE, PackageIndex, find_package_index


@pytest.fixture
def found(tmp_path):
    def find(pip="", uv="", **environment):
        (tmp_path / "pip.conf").write_text(pip)
        (tmp_path / "uv.toml").write_text(uv)
        own = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "UV_CONFIG_FILE": str(tmp_path / "uv.toml")}
        files = {
            "XDG_CONFIG_DIRS": str(tmp_path),
            "HOME": str(tmp_path),
        }  # the machine's own pip.conf is not the test's
        return find_package_index(Path(sys.executable), own | files | environment, tmp_path)

    return find


def test_pips_options_become_uvs_variables(found, tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    index = found(
        f"[global]\nindex-url = https://mirror.test/simple\nextra-index-url =\n  https://a.test/x\n  https://b.test/y\n"
        f"[install]\nfind-links = {wheels} https://c.test/z\n"
    )
    assert index.variables["UV_DEFAULT_INDEX"] == "https://mirror.test/simple"
    assert index.variables["UV_INDEX"] == "https://a.test/x https://b.test/y"
    assert index.variables["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert index.variables["UV_FIND_LINKS"] == f"{wheels},https://c.test/z"
    assert [mount.target for mount in index.mounts] == [str(wheels)]
    assert index.rules.is_internal("mirror.test", 443)
    assert not index.rules.internal & {*usual_places()}


def test_variables_count_more_than_files_and_uvs_more_than_pips(found):
    index = found(
        "[global]\nindex-url = https://file.test/simple\n",
        'index-url = "https://uv-file.test/simple"\n',
        PIP_INDEX_URL="https://pip.test/simple",
        UV_DEFAULT_INDEX="https://uv.test/simple",
    )
    assert index.variables["UV_DEFAULT_INDEX"] == "https://uv.test/simple"


def test_pip_that_is_to_ask_no_index_asks_none(found):
    index = found("[global]\nno-index = true\nextra-index-url = https://a.test/x\nfind-links = https://c.test/z\n")
    assert index.variables["UV_DEFAULT_INDEX"] == NOWHERE
    assert "UV_INDEX" not in index.variables


def test_uvs_own_file_is_handed_over(found):
    index = found(
        uv='[[index]]\nurl = "https://a.test/simple"\ndefault = true\n[[index]]\nurl = "https://b.test/simple"\n'
    )
    assert index.variables["UV_DEFAULT_INDEX"] == "https://a.test/simple"
    assert index.variables["UV_INDEX"] == "https://b.test/simple"


def test_folder_of_an_index_is_mounted_with_the_files_beside_it(found, tmp_path):
    (tmp_path / "pypi/simple").mkdir(parents=True)
    index = found(PIP_EXTRA_INDEX_URL=f"file://{tmp_path}/pypi/simple")
    assert [mount.target for mount in index.mounts] == [str(tmp_path / "pypi")]


def test_secrets_in_addresses_are_left_out_for_strangers():
    index = PackageIndex({"UV_INDEX": "https://ada:secret@a.test/x https://token@b.test/y"}, (), Rules())
    assert index.without_secrets().variables == {"UV_INDEX": "https://a.test/x https://b.test/y"}
