"""A host that does not answer is nobody's fault, whichever of a checkout's fetches it is that finds it silent."""

import hashlib
import shutil

import pytest

from sotabench.errors import Broken, Failed
from sotabench.runner.checkout import Source, check_out

SILENT = "does not answer: git's words are above"
FETCH = "/repository/.git/info/refs?service=git-upload-pack"


@pytest.fixture
def check_out_over_https(host, certificate, new_workplace):
    def run(commit):
        place = new_workplace("https", certificates=certificate[0])
        return check_out(place, Source(f"https://git.test:{host.server_port}/repository/.git", "main", commit))

    return run


def with_submodule(repository, url, inner, path="lib"):
    repository.commit()
    (repository.folder / ".gitmodules").write_text(f'[submodule "{path}"]\n\tpath = "{path}"\n\turl = {url}\n')
    repository.git("add", ".gitmodules")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{inner},{path}")
    repository.git("commit", "--quiet", "-m", "a submodule")
    return repository.git("rev-parse", "HEAD")


@pytest.mark.parametrize("fetches", [0, 1, 2], ids=["the branch", "its history", "the commit"])
def test_host_that_is_overloaded_after_some_fetches_is_asked_again(
    fetches, check_out_over_https, repository, host, log
):
    older = repository.commit()
    repository.commit({"a.txt": "newer"})
    host.is_overloaded = lambda asked: asked.count(FETCH) > fetches
    with pytest.raises(Broken, match=SILENT):
        check_out_over_https(older)
    assert "error: 503" in log.text


def test_host_of_a_submodule_that_is_overloaded_is_asked_again(
    check_out_over_https, repository, other_repository, host, log
):
    commit = with_submodule(repository, "../../other/.git", other_repository.commit())
    host.is_overloaded = lambda asked: asked[-1].startswith("/other")
    with pytest.raises(Broken, match=SILENT):
        check_out_over_https(commit)
    assert "error: 503" in log.text


@pytest.mark.parametrize(
    "url", ["https://localhost/other/.git", "https://[::1]/other/.git", "https://none.localhost/a"]
)
def test_submodule_on_the_sandboxs_own_loopback_is_no_silent_host(
    url, check_out_over_https, repository, other_repository
):
    with pytest.raises(Failed, match="could not fetch the submodules"):
        check_out_over_https(with_submodule(repository, url, other_repository.commit()))


@pytest.mark.parametrize("path", ["timed out", "it's a 'connection reset'", "from HTTP 503: Bad Gateway"])
def test_submodule_that_is_called_as_silent_hosts_are_told_is_none(
    path, check_out_over_https, repository, other_repository
):
    commit = with_submodule(repository, "../../none/.git", other_repository.commit(), path)
    with pytest.raises(Failed, match="could not fetch the submodules"):
        check_out_over_https(commit)


def test_branch_that_is_called_as_silent_hosts_are_told_is_none(host, certificate, new_workplace, repository):
    place = new_workplace("https", certificates=certificate[0])
    url = f"https://git.test:{host.server_port}/repository/.git"
    with pytest.raises(Failed, match=r"could not fetch the branch Client\.Timeout"):
        check_out(place, Source(url, "Client.Timeout", repository.commit()))


def test_submodule_elsewhere_of_a_folder_of_the_operators_is_no_silent_host(workplace, repository, other_repository):
    commit = with_submodule(repository, "https://other.test/other/.git", other_repository.commit())
    with pytest.raises(Failed, match="could not fetch the submodules"):
        check_out(workplace, Source(repository.url, "main", commit, by_operator=True))


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_host_of_large_files_that_is_overloaded_is_asked_again(check_out_over_https, repository, host, log):
    content = b"weights" * 100
    name = hashlib.sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(content)}\n"
    files = {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "model.bin": pointer}
    host.is_overloaded = lambda asked: asked[-1].startswith("/repository/.git/info/lfs/")
    with pytest.raises(Broken, match=SILENT):
        check_out_over_https(repository.commit(files))
    assert "HTTP 503" in log.text
