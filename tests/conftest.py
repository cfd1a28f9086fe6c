"""What holds for every test: the components of other packages, should any be installed, are left out."""

import os

import pytest

os.environ["CPM_OPT_PLUGINS"] = "0"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the stored models of components anew"
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))
