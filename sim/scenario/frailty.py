"""How much entities differ in their activity, for reasons that nothing else tells."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sim.maths.model import Model


class GammaFrailty(Model):
    """Gamma heterogeneity with mean 1 and variance 1/shape (Vaupel, Manton and Stallard 1979)."""

    type: Literal["gamma"]
    shape: float = Field(gt=0, le=1e6, description="The smaller, the more unequal.", examples=[4])


class LognormalFrailty(Model):
    """Lognormal heterogeneity with mean 1 and variance exp(sigma^2) - 1."""

    type: Literal["lognormal"]
    sigma: float = Field(ge=0, le=10, description="Standard deviation of the logarithm.", examples=[0.5])


Frailty = Annotated[GammaFrailty | LognormalFrailty, Field(discriminator="type")]
