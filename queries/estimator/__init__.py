"""A classifier with scikit-learn's conventions: what it is given, and what it fits."""

from queries.estimator.classifier import ZeroShotClassifier

__all__ = ["ZeroShotClassifier"]
