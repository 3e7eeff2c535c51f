"""Every control has a law it answers and a test that proves it, and the page says which."""

from domain.limit import Control
from domain.limits import CONTROLS, Stage
from tests.support.control_matrix import PAGE, page, proofs


def test_every_control_is_catalogued_once_with_a_law_a_scope_and_a_stage():
    assert set(CONTROLS) == set(Control)
    for spec in CONTROLS.values():
        assert spec.law
        assert spec.scopes
        assert spec.stages <= set(Stage)
        assert spec.stages


def test_every_control_has_a_test_that_proves_it():
    assert {control.value for control in CONTROLS} - proofs().keys() == set()


def test_no_test_claims_to_prove_a_control_that_there_is_not():
    assert proofs().keys() - {control.value for control in CONTROLS} == set()


def test_the_page_of_controls_is_what_would_be_written():
    assert PAGE.read_text(encoding="utf-8") == page()
