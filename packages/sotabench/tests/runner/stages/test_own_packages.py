"""The platform's own packages stay its own, whatever a setup script calls pip and whatever a package is called."""

import pytest

from sotabench.errors import Failed
from sotabench.runner.environment import make_environment, run_setup


def test_other_packages_with_the_platforms_modules_are_its_own_too(checked_out, make_wheel, store, log):
    for name in ("pillow-simd", "sotabench", "later"):
        make_wheel(name, "9.0")
    script = "set -e\npip uninstall -y pillow\npip install -U --force-reinstall pillow-simd later\n"
    workplace = checked_out({"requirements.txt": "Pillow-SIMD>=7\nsotabench\n", "sotabench_setup.sh": script})
    before = make_environment(workplace, store)
    after = run_setup(workplace, before)
    held = workplace.base.held
    assert set(after.lock) - set(before.lock) == {"later==9.0"}
    assert not {line for line in after.lock if line.startswith(("pillow-simd", "sotabench=="))} - set(held)
    assert f"Pillow-SIMD>=7 in requirements.txt: the platform's own pillow {held['pillow']} is used" in log.lines
    assert f"sotabench in requirements.txt: the platform's own torchbench {held['torchbench']} is used" in log.lines


@pytest.mark.parametrize(
    "line",
    [
        "python -m pip install later torch==1.0",
        "python3 -m pip install --upgrade --force-reinstall --no-cache-dir later torch",
        "python -m pip install --user --use-pep517 -U later pip torch",
        'python -m pip install --no-index --find-links "$UV_FIND_LINKS" later torch==1.0',
        'python -c \'import pip, sys; sys.exit(pip.main(["install", "later", "torch==1.0"]))\'',
    ],
)
def test_pip_as_a_module_leaves_the_platforms_packages_alone_too(line, checked_out, make_wheel, store, log):
    for name, version in (("later", "3.0"), ("torch", "1.0"), ("pip", "99")):
        make_wheel(name, version)
    workplace = checked_out({"requirements.txt": "", "sotabench_setup.sh": f"set -e\n{line}\n"})
    before = make_environment(workplace, store)
    after = run_setup(workplace, before)
    assert set(after.lock) - set(before.lock) == {"later==3.0"}


def test_pip_as_a_module_that_fails_ends_as_pip_does(checked_out, store):
    script = "python -m pip install nowhere-to-be-found\n"
    workplace = checked_out({"requirements.txt": "", "sotabench_setup.sh": script})
    environment = make_environment(workplace, store)
    with pytest.raises(Failed, match="sotabench_setup.sh ended with exit code 1"):
        run_setup(workplace, environment)
