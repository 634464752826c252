"""The best point of a simplex by few, noisy, dear evaluations: a Gaussian process and expected improvement.

Jones, Schonlau and Welch 1998 (Efficient Global Optimization); noise by a white kernel, and improvement
counted from the best mean of the model, not from a lucky draw.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

Points = npt.NDArray[np.float64]
CANDIDATES = 4096  # random points of the simplex that expected improvement is looked up on
NEAR = 1024  # further ones around the best
SPREAD = 60.0  # concentration of those: about a tenth of the simplex wide


def first_points(count: int, groups: int, seed: int) -> Points:
    """The points to begin with: the uniform one, then each as far as possible from those before.

    Shape (count, groups); rows sum to one.
    """
    stream = np.random.default_rng(seed)
    drawn = stream.dirichlet(np.ones(groups), 512)
    points = [np.full(groups, 1.0 / groups)]
    while len(points) < count:
        distances = np.min([np.linalg.norm(drawn - one, axis=1) for one in points], axis=0)
        points.append(drawn[int(np.argmax(distances))])
    return np.array(points)


def fit(points: Points, scores: npt.NDArray[np.float64]) -> object:
    """A Gaussian process over points seen so far; scores have shape (points,)."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(0.5, (0.1, 5.0), nu=2.5) + WhiteKernel(0.05, (1e-4, 1.0))
    model = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=4, random_state=0)
    return model.fit(points, scores)


def expected_improvement(
    mean: npt.NDArray[np.float64], deviation: npt.NDArray[np.float64], best: float
) -> npt.NDArray[np.float64]:
    """How much better than `best` a point is expected to be, counting only what is better; shape of `mean`."""
    safe = np.maximum(deviation, 1e-12)
    z = (mean - best) / safe
    return (mean - best) * norm.cdf(z) + safe * norm.pdf(z)


def propose(points: Points, scores: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    """The next point to try; determined by what was tried and the seed."""
    model = fit(points, scores)
    means = model.predict(points)  # type: ignore[attr-defined]
    centre = points[int(np.argmax(means))]
    stream = np.random.default_rng([seed, len(points)])
    drawn = np.vstack(
        [
            stream.dirichlet(np.ones(points.shape[1]), CANDIDATES),
            stream.dirichlet(1.0 + SPREAD * centre, NEAR),
        ]
    )
    mean, deviation = model.predict(drawn, return_std=True)  # type: ignore[attr-defined]
    return np.asarray(drawn[int(np.argmax(expected_improvement(mean, deviation, float(means.max()))))])


def best_point(points: Points, scores: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float]:
    """The tried point with the best mean by the model, and that mean: a lucky draw does not win."""
    means = fit(points, scores).predict(points)  # type: ignore[attr-defined]
    place = int(np.argmax(means))
    return points[place], float(means[place])
