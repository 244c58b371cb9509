"""What can be asked about data sets."""

from django.db.models import QuerySet

from sotabench.server.datasets.files import normalised
from sotabench.server.datasets.models import Dataset
from sotabench.server.errors import NotFound
from sotabench.server.repositories.models import Repository


def datasets_of(repository: Repository) -> QuerySet[Dataset]:
    """The repository's data sets by path; whoever calls has checked that the repository may be seen."""
    return repository.datasets.all()


def dataset_of(repository: Repository, path: str) -> Dataset:
    """The data set at this path. Raises NotFound, and Invalid for what is no path."""
    if dataset := datasets_of(repository).filter(path=normalised(path)).first():
        return dataset
    raise NotFound(f"expected a data set of {repository}, found none at {path[:200]!r}")
