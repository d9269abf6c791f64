"""`ConstraintSet`: the constraints of one ODRL rule, asset or action, read until nothing is left over."""

from __future__ import annotations

from audit.wording import say
from contracts.policy.cursor import Cursor, missing, unknown
from contracts.policy.vocabulary import Operand, Operator

_FIELDS = ("leftOperand", "operator", "rightOperand")


def constraint(operand: Operand, operator: Operator, value: object) -> dict[str, object]:
    """One atomic ODRL constraint (Information Model 2.5.1)."""
    return {"leftOperand": operand.value, "operator": operator.value, "rightOperand": value}


class ConstraintSet:
    """Give out each constraint once by operand and operator; `done` refuses those nobody asked for."""

    def __init__(self, array: Cursor) -> None:
        self._path = array.path
        self._left = [item.fields(_FIELDS) for item in array.items()]
        for fields in self._left:
            _known(Operand, fields["leftOperand"])
            _known(Operator, fields["operator"])

    def take(self, operand: Operand, operator: Operator) -> Cursor:
        """The right operand of the constraint."""
        found = self.take_if_there(operand, operator)
        if found is None:
            other = next((f for f in self._left if f["leftOperand"].value == operand), None)
            if other is not None:
                what = say("%(operand)s is compared by %(operator)s only", operand=operand, operator=operator)
                raise unknown(other["operator"].path, what)
            what = say("a constraint on %(operand)s by %(operator)s", operand=operand, operator=operator)
            raise missing(self._path, what)
        return found

    def take_if_there(self, operand: Operand, operator: Operator) -> Cursor | None:
        for n, fields in enumerate(self._left):
            if (fields["leftOperand"].value, fields["operator"].value) == (operand, operator):
                return self._left.pop(n)["rightOperand"]
        return None

    def done(self) -> None:
        if self._left:
            left = self._left[0]["leftOperand"]
            what = say("%(operand)s does not belong here, or stands here twice", operand=left.value)
            raise unknown(left.path, what)


def _known(words: type[Operand | Operator], cursor: Cursor) -> None:
    word = cursor.text()
    if word not in {known.value for known in words}:
        what = say("%(word)s is not a word of the profile", word=repr(word[:80]))
        raise unknown(cursor.path, what)
