"""PPI++: the mean of all predictions, corrected by how far those of a random sample of labels are from the truth.

The estimate is λ × (mean prediction of the unreviewed) + mean of (truth − λ × prediction) of the reviewed, where λ,
from 0 to 1, makes its variance least: the better the model, the closer to 1 (Angelopoulos, Duchi and Zrnic, PPI++:
Efficient Prediction-Powered Inference, arXiv 2311.01453, 2023). It is without bias whatever the model says, so that a
unit without a prediction may have any number in its stead. The narratives of an incident are not independent: variances
are those between incidents, by linearization. Where each unit is an incident of its own the numbers are those of
ppi-python 0.2.3.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

TRUTH, PREDICTED, ROWS = range(3)


class Sums(NamedTuple):
    """Truths, predictions and numbers of units, in this order: their `totals`, of shape (..., 3), and the sums over
    incidents of the products of each incident's totals, of shape (..., 3, 3)."""

    totals: Numbers
    products: Numbers

    @property
    def n(self) -> Numbers:
        """The number of units."""
        return np.asarray(self.totals[..., ROWS])

    @property
    def means(self) -> Numbers:
        """The mean truth and prediction, and 1; of nothing 0."""
        return np.asarray(self.totals / np.maximum(self.n, 1.0)[..., None])

    def about_the_mean(self) -> Numbers:
        """The products of deviations from the means, summed over incidents; of shape (..., 3, 3)."""
        mean, with_rows = self.means, self.products[..., ROWS]
        cross = with_rows[..., :, None] * mean[..., None, :]
        rows = self.products[..., ROWS, ROWS][..., None, None]
        return np.asarray(
            self.products - cross - np.swapaxes(cross, -1, -2) + rows * mean[..., :, None] * mean[..., None, :]
        )


class Moments(NamedTuple):
    """An estimate, and its standard error; of shape (...)."""

    value: Numbers
    standard_error: Numbers


def sums_of(incident: NDArray[np.int64], truth: Numbers, predicted: Numbers) -> Sums:
    """The sums of units; arrays of shape (units,), without NaN."""
    return added_up(totals_by_incident(incident, truth, predicted))


def totals_by_incident(incident: NDArray[np.int64], truth: Numbers, predicted: Numbers) -> Numbers:
    """Truths, predictions and numbers of units of each incident, of shape (incidents, 3); arrays of shape (units,)."""
    known, code = np.unique(incident, return_inverse=True)
    of_incidents = np.zeros((len(known), 3))
    np.add.at(of_incidents, code, np.column_stack([truth, predicted, np.ones(len(truth))]))
    return of_incidents


def added_up(of_incidents: Numbers) -> Sums:
    """The sums of incidents; in: what `totals_by_incident` gives."""
    return Sums(of_incidents.sum(axis=0), of_incidents.T @ of_incidents)


def tuning(reviewed: Sums, unreviewed: Sums) -> Numbers:
    """λ, from 0 to 1; 0 where all predictions are alike.

    The variance of predictions is that of reviewed and unreviewed together, as in ppi-python.
    """
    n, left = reviewed.n, unreviewed.n
    both = Sums(reviewed.totals + unreviewed.totals, reviewed.products + unreviewed.products)
    variance = both.about_the_mean()[..., PREDICTED, PREDICTED] / np.maximum(n + left - 1, 1.0)
    covariance = reviewed.about_the_mean()[..., TRUTH, PREDICTED] / n
    spread = (1 + n / left) * variance
    return np.clip(np.divide(covariance, spread, out=np.zeros_like(spread), where=spread > 0), 0.0, 1.0)


def powered_mean(reviewed: Sums, unreviewed: Sums, tuned: Numbers | None = None) -> Moments:
    """The mean truth of all.

    In: sums of the reviewed and of the unreviewed, at least one unit of each; of the truths of the unreviewed nothing
    is read. tuned: λ, by default what `tuning` gives.
    """
    weight = tuning(reviewed, unreviewed) if tuned is None else tuned
    value = (
        weight * unreviewed.means[..., PREDICTED] + reviewed.means[..., TRUTH] - weight * reviewed.means[..., PREDICTED]
    )
    variance = rectifier_variance(reviewed, weight) + weight**2 * predicted_variance(unreviewed)
    return Moments(value, np.sqrt(variance))


def jackknife_error(of_incidents: Numbers, unreviewed: Sums) -> Numbers:
    """The standard error of the mean truth in samples that are not large, by leaving out each incident in turn (Efron
    and Stein, Annals of Statistics 9, 1981): it knows that λ is estimated too, and of the reviews alone.

    In: the reviewed, as `totals_by_incident` gives them, at least two; the sums of the unreviewed.
    """
    n = len(of_incidents)
    reviewed = added_up(of_incidents)
    products = reviewed.products - of_incidents[:, :, None] * of_incidents[:, None, :]
    values = powered_mean(Sums(reviewed.totals - of_incidents, products), unreviewed).value
    variance = (n - 1) / n * ((values - values.mean()) ** 2).sum()
    return np.asarray(np.sqrt(variance + tuning(reviewed, unreviewed) ** 2 * predicted_variance(unreviewed)))


def rectifier_variance(reviewed: Sums, weight: Numbers) -> Numbers:
    """The variance of the mean of truth − λ × prediction; weight: λ."""
    products = reviewed.about_the_mean()
    of_both = products[..., TRUTH, TRUTH] - 2 * weight * products[..., TRUTH, PREDICTED]
    total = of_both + weight**2 * products[..., PREDICTED, PREDICTED]
    return np.asarray(np.maximum(total, 0.0) / reviewed.n**2)


def predicted_variance(units: Sums) -> Numbers:
    """The variance of the mean prediction."""
    return np.asarray(np.maximum(units.about_the_mean()[..., PREDICTED, PREDICTED], 0.0) / units.n**2)
