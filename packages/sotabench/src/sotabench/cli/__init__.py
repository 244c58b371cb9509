"""`sb`: from a repository on one's own machine to a site. A module a noun; `command` holds what all of them share."""

from sotabench.cli.account import login
from sotabench.cli.benchmark import benchmark
from sotabench.cli.build import build
from sotabench.cli.checkout import check, run, submit
from sotabench.cli.command import main, takes_json
from sotabench.cli.dataset import dataset
from sotabench.cli.repo import repo

__all__ = ["main"]

for command in (login, check, run, submit, repo, build, benchmark, dataset):
    main.add_command(command)

takes_json(main)
