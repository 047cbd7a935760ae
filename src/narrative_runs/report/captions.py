"""The figures of a report by name, in their order; read by the Snakefile too, so that nothing heavy is imported."""

from typing import NamedTuple


class Caption(NamedTuple):
    """A figure's title, and how to read it."""

    title: str
    text: str


CAPTIONS = {
    "detection_rates": Caption(
        "Detection rates",
        "Share of answered narratives, or incidents, that the model detects as positive, with its 95% interval; where "
        "there are labels, the share of the labelled ones that was labelled positive: not of the same rows, where not "
        "all are labelled. An incident is positive if any of its narratives is.",
    ),
    "confusion_matrices": Caption(
        "Confusion matrices",
        "The model's answers against the manual labels; what is labelled and answered without error counts. Errors of "
        "the model are hatched.",
    ),
    "agreement": Caption(
        "Agreement of the two narratives",
        "What the model detects in the two narratives of the same incident, over incidents with both answered. No "
        "label is needed. Disagreement is hatched.",
    ),
    "confidence_by_outcome": Caption(
        "Stated confidence by outcome",
        "How sure the model says it is of its answer, by whether that answer is right. A confidence that tells right "
        "from wrong lies further to the left for false answers.",
    ),
    "reliability": Caption(
        "Reliability",
        "Share of positive labels among narratives to which the model gives about the same probability, with its 95% "
        "interval. On the diagonal, probabilities can be taken at their word. Below: how many narratives each point "
        "stands for.",
    ),
    "roc_precision_recall": Caption(
        "ROC and precision-recall curves",
        "What could be had at other thresholds of the probability. The star is the model's own yes or no; dotted is "
        "what chance gives.",
    ),
    "errors_by_category": Caption(
        "Errors by category",
        "Narratives without a usable answer, by the category of the error. They count in no rate.",
    ),
    "response_times_tokens": Caption(
        "Response times and tokens",
        "Seconds that the server took for an answer, and the tokens it counted in prompts and answers. Solid line: "
        "median; dashed line: 95th percentile.",
    ),
}
