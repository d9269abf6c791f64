import pytest

# Their asserts tell as much as those of the tests that call them.
pytest.register_assert_rewrite("tests.e2e.steps", "tests.e2e.visitor", "tests.e2e.space")
