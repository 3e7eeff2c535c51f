"""The page of roles is the table of roles."""

from pathlib import Path

from api.http.roles import role_table


def test_the_page_ships_the_table_as_it_is():
    page = Path(__file__).parents[3] / "docs" / "roles.md"
    assert role_table().strip() in page.read_text()
