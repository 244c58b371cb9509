"""One commit is fetched inside the sandbox, and nothing of what the repository says is run for it."""

import hashlib
import os
import shutil
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from sotabench.errors import Broken, Failed
from sotabench.runner.checkout import Source, check_out
from sotabench.runner.egress import Rules
from sotabench.runner.sandbox import Trusted

from .conftest import OWN


def of_operator(repository, commit, branch="main"):
    return Source(repository.url, branch, commit, by_operator=True)


@pytest.fixture
def over_https(host, certificate, new_workplace, tmp_path):
    """A workplace that believes the host's certificate, and the source of a repository there."""
    place = new_workplace("https", certificates=certificate[0])

    def source(commit, name="repository", **more):
        return Source(f"https://git.test:{host.server_port}/{name}/.git", "main", commit, **more)

    return place, source


def test_tip_of_the_operators_own_repository_is_checked_out(workplace, repository):
    commit = repository.commit({"model/net.py": "x = 1\n"})
    tree = check_out(workplace, of_operator(repository, commit))
    assert (tree.commit, tree.submodules) == (commit, ())
    assert tree.tree == repository.git("rev-parse", "HEAD^{tree}")
    assert (workplace.repository / "model/net.py").read_text() == "x = 1\n"
    assert tree.size > (workplace.repository / "model/net.py").stat().st_size
    assert repository.git("status", "--porcelain") == ""


def test_without_isolation_it_works_too(new_workplace, repository):
    place = new_workplace("trusting", slot=OWN, sandbox=Trusted(OWN))
    commit = repository.commit()
    assert check_out(place, of_operator(repository, commit)).commit == commit


@pytest.mark.parametrize("means", ["file", "https"])
def test_older_commit_of_the_branch_is_checked_out(means, workplace, over_https, repository):
    older = repository.commit({"a.txt": "older"})
    for number in range(3):
        repository.commit({"a.txt": f"newer {number}"})
    place, source = (workplace, of_operator(repository, older)) if means == "file" else (
        over_https[0], over_https[1](older)
    )  # fmt: skip
    assert check_out(place, source).commit == older
    assert (place.repository / "a.txt").read_text() == "older"


@pytest.mark.parametrize("means", ["file", "https"])
def test_commit_of_another_branch_is_refused(means, workplace, over_https, repository):
    repository.commit()
    repository.git("checkout", "--quiet", "-b", "hidden")
    elsewhere = repository.commit({"sotabench.py": "print('not reviewed')"})
    repository.git("checkout", "--quiet", "main")
    place, source = (workplace, of_operator(repository, elsewhere)) if means == "file" else (
        over_https[0], over_https[1](elsewhere)
    )  # fmt: skip
    with pytest.raises(Failed, match=f"the branch main does not lead to the commit {elsewhere}"):
        check_out(place, source)


@pytest.mark.parametrize("missing", ["sotabench.py", "requirements.txt"])
def test_missing_required_file_is_named(missing, workplace, repository):
    present = {"sotabench.py", "requirements.txt"} - {missing}
    commit = repository.commit(dict.fromkeys(present, "x"), required=False)
    with pytest.raises(Failed, match=f"found no {missing}"):
        check_out(workplace, of_operator(repository, commit))


def test_required_file_that_leads_out_of_the_repository_is_missing(workplace, repository):
    (repository.folder / "requirements.txt").symlink_to("/etc/hostname")
    commit = repository.commit({"sotabench.py": "x"}, required=False)
    with pytest.raises(Failed, match="found no requirements.txt"):
        check_out(workplace, of_operator(repository, commit))


@pytest.mark.parametrize("name", ["sotabench.py", "requirements.txt"])
def test_required_file_that_is_a_link_to_no_possible_name_is_missing(name, workplace, repository):
    (repository.folder / name).symlink_to("x" * 300)
    present = {"sotabench.py", "requirements.txt"} - {name}
    commit = repository.commit(dict.fromkeys(present, "x"), required=False)
    with pytest.raises(Failed, match=f"found no {name}"):
        check_out(workplace, of_operator(repository, commit))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "file:///srv/repository"}, "found a folder of this machine"),
        ({"url": "http://git.test/a"}, "expected an address with https or ssh"),
        ({"url": "git://git.test/a"}, "expected an address with https or ssh"),
        ({"url": "ext::sh -c id"}, "expected an address with https or ssh"),
        ({"url": "--upload-pack=id"}, "expected an address with https or ssh"),
        ({"url": "-oProxyCommand=id"}, "expected an address with https or ssh"),
        ({"url": "ssh://-oProxyCommand=id/a"}, "expected an address with https or ssh"),
        ({"url": "https://[git.test/a"}, "expected an address with https or ssh"),
        ({"url": "https://git.test:port/a"}, "expected an address with https or ssh"),
        ({"commit": "HEAD"}, "expected the full name of a commit"),
        ({"commit": "--output=/x"}, "expected the full name of a commit"),
        ({"branch": "--upload-pack=id"}, "expected the name of a branch"),
        ({"branch": "a:refs/heads/b"}, "expected the name of a branch"),
        ({"branch": "a b"}, "expected the name of a branch"),
    ],
)
def test_addresses_and_names_that_are_none_are_refused(changes, message, workplace):
    asked = {"url": "https://git.test/a", "branch": "main", "commit": "0" * 40} | changes
    with pytest.raises(Failed, match=message):
        check_out(workplace, Source(**asked))
    assert not workplace.repository.exists()


def test_data_link_in_a_repository_is_removed(workplace, repository, log):
    repository.commit()
    (repository.folder / ".data").symlink_to("/etc")
    tree = check_out(workplace, of_operator(repository, repository.commit()))
    assert tree.commit
    assert not os.path.lexists(workplace.repository / ".data")
    assert "it was removed" in log.text


def test_hooks_filters_and_settings_of_a_repository_run_nothing(workplace, repository, log, say):
    marks = "touch /work/facts/ran; cat"
    files = {
        ".gitattributes": "*.txt filter=evil diff=evil merge=evil\n",
        ".gitconfig": f'[filter "evil"]\n smudge = {marks}\n',
        ".lfsconfig": "[lfs]\n url = https://evil.test/\n",
        "a.txt": "as it is\n",
        "hooks/post-checkout": f"#!/bin/sh\n{marks}\n",
    }  # fmt: skip
    commit = repository.commit(files)
    for name in ("post-checkout", "post-merge", "reference-transaction", "pre-auto-gc"):
        hook = repository.folder / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\n{marks}\n")
        hook.chmod(0o755)
    repository.git("config", "filter.evil.smudge", marks)
    repository.git("config", "uploadpack.packObjectsHook", marks)
    repository.git("config", "core.fsmonitor", marks)
    check_out(workplace, of_operator(repository, commit))
    assert (workplace.repository / "a.txt").read_text() == "as it is\n"
    assert sorted(path.name for path in workplace.facts.iterdir()) == ["tree.json"]
    assert not list((workplace.repository / ".git").glob("hooks/*"))
    say("git filters and hooks: stopped, git has our settings alone, and a fresh folder without templates")


def test_host_that_does_not_answer_is_not_the_repositorys_fault(new_workplace, certificate, unused_tcp_port):
    place = new_workplace("silent", certificates=certificate[0])
    url = f"https://git.test:{unused_tcp_port}/repository/.git"
    with pytest.raises(Broken, match="a host of https://git.test:.* does not answer"):
        check_out(place, Source(url, "main", "0" * 40))


def test_branch_that_is_not_there_is(over_https, repository):
    place, source = over_https
    commit = repository.commit()
    with pytest.raises(Failed, match="could not fetch the branch gone"):
        check_out(place, replace(source(commit), branch="gone"))


@pytest.fixture
def unused_tcp_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_checkout_leaves_no_key_behind(workplace, repository):
    commit = repository.commit()
    source = Source(repository.url, "main", commit, by_operator=True, key="-----BEGIN KEY-----\nsecret\n")
    check_out(workplace, source)
    assert not (workplace.folder / "key").exists()
    found = subprocess.run(["grep", "-r", "secret", workplace.folder], capture_output=True, check=False)
    assert found.stdout == b""
    assert "secret" not in repr(source)


def test_submodule_of_the_same_host_comes_with_it(over_https, repository, other_repository, host):
    inner = other_repository.commit({"inner.py": "y = 2\n"})
    other_repository.commit({"inner.py": "y = 3\n"})
    repository.commit()
    repository.git(
        "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(other_repository.folder), "lib"
    )
    repository.git("-C", "lib", "checkout", "--quiet", inner)
    (repository.folder / ".gitmodules").write_text('[submodule "lib"]\n\tpath = lib\n\turl = ../../other/.git\n')
    place, source = over_https
    tree = check_out(place, source(repository.commit()))
    assert tree.submodules == (("lib", inner),)
    assert (place.repository / "lib/inner.py").read_text() == "y = 2\n"


@pytest.mark.parametrize(
    ("url", "stopped_by"),
    [
        ("https://127.0.0.1:{port}/other/.git", "the sandbox's loopback, which is its own"),
        ("https://other.test:{port}/other/.git", "the proxy"),
        ("http://git.test:{port}/other/.git", "git's list of protocols"),
        ("file:///work/repository", "git's list of protocols"),
        ("ext::sh -c 'touch /work/facts/ran'", "git's list of protocols"),
        ("-u./evil.sh", "git"),
    ],
)
def test_submodule_elsewhere_is_refused(url, stopped_by, over_https, repository, other_repository, host, log, say):
    inner = other_repository.commit()
    repository.commit()
    address = url.format(port=host.server_port)
    (repository.folder / ".gitmodules").write_text(f'[submodule "lib"]\n\tpath = lib\n\turl = {address}\n')
    repository.git("add", ".gitmodules")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{inner},lib")
    repository.git("commit", "--quiet", "-m", "a submodule")
    place, source = over_https
    with pytest.raises(Failed, match="could not fetch"):
        check_out(place, source(repository.git("rev-parse", "HEAD")))
    assert not [path for path in host.asked if path.startswith("/other")]
    assert not (place.facts / "ran").exists()
    say(f"submodule at {url}: stopped by {stopped_by}")


def test_submodule_of_a_host_on_the_operators_list_is_fetched(over_https, repository, other_repository, host):
    inner = other_repository.commit()
    repository.commit()
    url = f"https://other.test:{host.server_port}/other/.git"
    (repository.folder / ".gitmodules").write_text(f'[submodule "lib"]\n\tpath = lib\n\turl = {url}\n')
    repository.git("add", ".gitmodules")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{inner},lib")
    repository.git("commit", "--quiet", "-m", "a submodule")
    place, source = over_https
    listed = source(repository.git("rev-parse", "HEAD"), hosts=Rules.of([f"other.test:{host.server_port}"]))
    assert check_out(place, listed).submodules == (("lib", inner),)


def test_submodules_own_command_is_not_run(over_https, repository, other_repository, host, say):
    inner = other_repository.commit()
    url = f"https://git.test:{host.server_port}/other/.git"
    (repository.folder / ".gitmodules").write_text(
        f'[submodule "lib"]\n\tpath = lib\n\turl = {url}\n\tupdate = !touch /work/facts/ran\n'
    )
    repository.git("add", ".gitmodules")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{inner},lib")
    place, source = over_https
    with pytest.raises(Failed):
        check_out(place, source(repository.commit()))
    assert not (place.facts / "ran").exists()
    say("submodule with a command of its own: stopped by git, which refuses the file")


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
@pytest.mark.parametrize("elsewhere", [False, True])
def test_large_files_come_from_the_repositorys_host_alone(elsewhere, over_https, repository, host, log, say):
    content = b"weights" * 100
    name = hashlib.sha256(content).hexdigest()
    host.files[f"/objects/{name}"] = content
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(content)}\n"
    files = {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "model.bin": pointer}
    if elsewhere:
        files[".lfsconfig"] = f"[lfs]\n\turl = https://127.0.0.1:{host.server_port}/lfs\n"
    commit = repository.commit(files)
    place, source = over_https
    if not elsewhere:
        check_out(place, source(commit))
        assert (place.repository / "model.bin").read_bytes() == content
        return
    with pytest.raises(Failed, match="Git LFS could not fetch"):
        check_out(place, source(commit))
    assert not [path for path in host.asked if path.startswith("/lfs")]
    say("LFS to loopback: stopped, the sandbox's loopback is its own and the proxy lists the repository's host alone")


@pytest.fixture
def ssh_host(tmp_path, repository):
    """A real sshd on loopback, its public key's line, and a deploy key that it lets in."""
    if shutil.which("sshd", path="/usr/sbin:/usr/bin") is None or os.geteuid() != 0:
        pytest.skip("expected sshd, and to be root")
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "deploy"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    settings = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": folder / "host", "PidFile": "none", "UsePAM": "no",
        "AuthorizedKeysFile": folder / "deploy.pub", "StrictModes": "no", "PasswordAuthentication": "no",
    }  # fmt: skip
    (folder / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", folder / "config"], stderr=subprocess.PIPE)
    while b"listening" not in server.stderr.readline():
        assert server.poll() is None
    public = (folder / "host.pub").read_text().split()[:2]
    yield (
        f"ssh://root@ssh.test:{port}{repository.folder}/.git",
        f"[ssh.test]:{port} {' '.join(public)}\n",
        (folder / "deploy").read_text(),
    )
    server.kill()
    server.wait()
    server.stderr.close()


def test_deploy_key_opens_a_repository_over_ssh_and_the_host_is_remembered(ssh_host, workplace, repository, tmp_path):
    url, line, key = ssh_host
    commit = repository.commit()
    known = tmp_path / "known_hosts"
    assert check_out(workplace, Source(url, "main", commit, key=key, known_hosts=known)).commit == commit
    assert known.read_text() == line
    assert check_out(workplace, Source(url, "main", commit, key=key, known_hosts=known)).commit == commit
    assert known.read_text() == line
    assert not (workplace.folder / "key").exists()


@pytest.mark.parametrize("means", ["pinned", "remembered"])
def test_host_with_another_key_is_refused(means, ssh_host, workplace, repository, tmp_path, log):
    url, line, key = ssh_host
    commit = repository.commit()
    another = f"{line.split()[0]} ssh-ed25519 {(tmp_path / 'ssh/deploy.pub').read_text().split()[1]}\n"
    known = tmp_path / "known_hosts"
    known.write_text(another if means == "remembered" else "")
    pinned = another if means == "pinned" else ""
    with pytest.raises(Failed, match="could not fetch the branch"):
        check_out(workplace, Source(url, "main", commit, key=key, known_hosts=known, pinned=pinned))
    assert "HOST IDENTIFICATION HAS CHANGED" in log.text


def test_pinned_host_is_believed(ssh_host, workplace, repository):
    url, line, key = ssh_host
    commit = repository.commit()
    assert check_out(workplace, Source(url, "main", commit, key=key, pinned=line)).commit == commit
