"""The requests and responses of the REST API; its OpenAPI document is made from them."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StrictStr,
    field_validator,
)

from services.addresses import check_address
from services.compute.arithmetic import Number, to_number
from services.exceptions import ComputeError, InvalidRecipientError

NUMERIC = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
Operand = Annotated[
    StrictInt
    | Annotated[StrictFloat, Field(allow_inf_nan=False)]
    | Annotated[StrictStr, Field(pattern=NUMERIC, max_length=4301)],
    Field(description="A number, or a string that writes one.", examples=[30, "10", 0.5]),
]


def to_address(text: str) -> str:
    """Return a mail address that the service `mail` accepts, or raise ValueError."""
    try:
        return check_address(text)
    except InvalidRecipientError as error:
        raise ValueError(str(error)) from error


Address = Annotated[
    StrictStr, AfterValidator(to_address), Field(json_schema_extra={"format": "email"})
]


class ComputeQuery(BaseModel):
    wait: bool = Field(False, description="Answer with the result instead of mailing it.")


class ComputeBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    operation: Literal["sum", "sub", "mul", "div"]
    value: Operand
    other: Operand
    email: Address | None = Field(
        None, description="Where the result is mailed; required unless `wait` is true."
    )

    @field_validator("value", "other")
    @classmethod
    def check_operand(cls, operand: Number | str) -> Number | str:
        try:
            to_number(operand)
        except ComputeError as error:
            raise ValueError(str(error)) from error
        return operand


class Result(BaseModel):
    result: int | float


class Accepted(BaseModel):
    """The response when the result will be mailed."""

    message: str


class Problem(BaseModel):
    """The response to every error: its name, what happened, and what to do."""

    error: str = Field(examples=["DivisionByZeroError"])
    message: str


class ServiceHealth(BaseModel):
    instances: int = Field(description="Instances that consume the service's requests.")
    waiting: int = Field(description="Requests that no instance has taken yet.")


class Health(BaseModel):
    healthy: bool
    broker: str = Field(description='"reachable", or what it says.')
    services: dict[str, ServiceHealth]
