"""The titles of the measures of metrics.json on the page, by their names in the file, and what they are shares of."""

from typing import Any

from narrative_runs.data_columns import type_title

# With the formula.
RATES = {
    "detection_rate": ("Detection rate", "detected / answered"),
    "accuracy": ("Accuracy", "(TP + TN) / all"),
    "precision": ("Precision", "TP / (TP + FP)"),
    "recall": ("Recall (sensitivity)", "TP / (TP + FN)"),
    "specificity": ("Specificity", "TN / (TN + FP)"),
    "f1": ("F1", "2 TP / (2 TP + FP + FN)"),
    "kappa": ("Cohen's kappa", "agreement beyond chance"),
    "mcc": ("Matthews correlation", "correlation of labels and detections"),
}
TITLES = {
    **{key: title for key, (title, _) in RATES.items()},
    "labelled_rate": "Share labelled yes",
    "micro_precision": "Micro precision",
    "micro_recall": "Micro recall",
    "micro_f1": "Micro F1",
    "macro_precision": "Macro precision",
    "macro_recall": "Macro recall",
    "macro_f1": "Macro F1",
    "weighted_kappa": "Quadratically weighted kappa",
    "alpha": "Krippendorff's alpha",
    "jaccard": "Jaccard's index",
    "within_tolerance": "Share within the tolerance",
    "mae": "Mean absolute error",
    "icc": "ICC(A,1)",
    "in_text": "Share of passages in the text",
    "token_f1": "Token F1",
}


def scopes(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The performance in each scope, by the scope's name for people."""
    return {
        "All narratives": metrics["overall"],
        **{type_title(kind): scope for kind, scope in metrics["by_type"].items()},
        "Incidents": metrics["incident"],
    }
