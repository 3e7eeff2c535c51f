"""The page of roles is the table of roles."""

from pathlib import Path

from api.http.roles import role_table


def test_the_page_ships_the_table_as_it_is():
    page = Path(__file__).parents[3] / "docs" / "roles.md"
    # Sorted, since another test may have taken a row out and put it back at the end.
    told = [line for line in page.read_text().splitlines() if line.startswith("|")]
    assert sorted(told) == sorted(role_table().strip().splitlines())
