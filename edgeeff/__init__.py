"""Image classifiers to small, fast int8 .tflite files that a mobile engineer can ship and trust.

The names here are the public API: the functions behind the commands of the same names, what they
take and give, and what they raise. ``docs/api.md`` shows each of them. Everything else may change
between versions.

A name is imported when it is first asked for, so that ``import edgeeff`` costs nothing and the base
install has no need of TensorFlow or the quantizer.
"""

from __future__ import annotations

from edgeeff.version import __version__ as __version__

TYPE_CHECKING = False
"""As in ``typing``, which would be most of the time that importing this module takes."""

if TYPE_CHECKING:
    from edgeeff.accelerators.plan import Plan as Plan
    from edgeeff.accelerators.plan import preset as preset
    from edgeeff.architectures.plot import variants_plot as variants_plot
    from edgeeff.architectures.variants import Variant as Variant
    from edgeeff.architectures.variants import find_variant as find_variant
    from edgeeff.benchmarking.compare import compare_documents as compare_documents
    from edgeeff.benchmarking.document import read_benchmark as read_benchmark
    from edgeeff.benchmarking.models import compare as compare
    from edgeeff.benchmarking.run import benchmark as benchmark
    from edgeeff.bundling.build import bundle as bundle
    from edgeeff.bundling.verification import verify as verify
    from edgeeff.errors import EdgeeffError as EdgeeffError
    from edgeeff.errors import ExtraMissing as ExtraMissing
    from edgeeff.errors import GateFailed as GateFailed
    from edgeeff.errors import InputError as InputError
    from edgeeff.errors import OutputError as OutputError
    from edgeeff.errors import TargetUnavailable as TargetUnavailable
    from edgeeff.errors import UsageError as UsageError
    from edgeeff.evaluation.evaluate import evaluate as evaluate
    from edgeeff.evaluation.gate import AccuracyGateFailed as AccuracyGateFailed
    from edgeeff.evaluation.gate import Limits as Limits
    from edgeeff.fitting.fit import fit as fit
    from edgeeff.fitting.fitted import Fitted as Fitted
    from edgeeff.fitting.fitted import read_fitted as read_fitted
    from edgeeff.fitting.search.scaling import scaling_search as scaling_search
    from edgeeff.fitting.search.search import fit_to_data as fit_to_data
    from edgeeff.fitting.search.settings import SearchSettings as SearchSettings
    from edgeeff.fitting.settings import FitSettings as FitSettings
    from edgeeff.pictures.images import read_images as read_images
    from edgeeff.pictures.preprocessing import Preprocessing as Preprocessing
    from edgeeff.pipeline.conversion import convert as convert
    from edgeeff.pipeline.conversion import convert_model as convert_model
    from edgeeff.pipeline.conversion import quantize as quantize
    from edgeeff.pipeline.mixed_precision import Budget as Budget
    from edgeeff.pipeline.settings import Settings as Settings
    from edgeeff.progress import Progress as Progress
    from edgeeff.quantization.recipes.recipe import Recipe as Recipe
    from edgeeff.quantization.recipes.recipe import find_recipe as find_recipe
    from edgeeff.reporting.report import Report as Report
    from edgeeff.reporting.report import report as report
    from edgeeff.tflite.inspection import inspect as inspect
    from edgeeff.tflite.metadata_writer import Texts as Texts
    from edgeeff.training.runs import Run as Run
    from edgeeff.training.runs import read_run as read_run
    from edgeeff.training.settings import Augmentation as Augmentation
    from edgeeff.training.settings import TrainingSettings as TrainingSettings
    from edgeeff.training.train import resume_training as resume_training
    from edgeeff.training.train import train as train


__all__ = [
    "AccuracyGateFailed",
    "Augmentation",
    "Budget",
    "EdgeeffError",
    "ExtraMissing",
    "FitSettings",
    "Fitted",
    "GateFailed",
    "InputError",
    "Limits",
    "OutputError",
    "Plan",
    "Preprocessing",
    "Progress",
    "Recipe",
    "Report",
    "Run",
    "SearchSettings",
    "Settings",
    "TargetUnavailable",
    "Texts",
    "TrainingSettings",
    "UsageError",
    "Variant",
    "benchmark",
    "bundle",
    "compare",
    "compare_documents",
    "convert",
    "convert_model",
    "evaluate",
    "find_recipe",
    "find_variant",
    "fit",
    "fit_to_data",
    "inspect",
    "preset",
    "quantize",
    "read_benchmark",
    "read_fitted",
    "read_images",
    "read_run",
    "report",
    "resume_training",
    "scaling_search",
    "train",
    "variants_plot",
    "verify",
]

_MODULES = {
    "accelerators.plan": ("Plan", "preset"),
    "architectures.plot": ("variants_plot",),
    "architectures.variants": ("Variant", "find_variant"),
    "benchmarking.compare": ("compare_documents",),
    "benchmarking.document": ("read_benchmark",),
    "benchmarking.models": ("compare",),
    "benchmarking.run": ("benchmark",),
    "bundling.build": ("bundle",),
    "bundling.verification": ("verify",),
    "errors": (
        *("EdgeeffError", "ExtraMissing", "GateFailed", "InputError", "OutputError"),
        *("TargetUnavailable", "UsageError"),
    ),
    "evaluation.evaluate": ("evaluate",),
    "evaluation.gate": ("AccuracyGateFailed", "Limits"),
    "fitting.fit": ("fit",),
    "fitting.fitted": ("Fitted", "read_fitted"),
    "fitting.search.scaling": ("scaling_search",),
    "fitting.search.search": ("fit_to_data",),
    "fitting.search.settings": ("SearchSettings",),
    "fitting.settings": ("FitSettings",),
    "pictures.images": ("read_images",),
    "pictures.preprocessing": ("Preprocessing",),
    "pipeline.conversion": ("convert", "convert_model", "quantize"),
    "pipeline.mixed_precision": ("Budget",),
    "pipeline.settings": ("Settings",),
    "progress": ("Progress",),
    "quantization.recipes.recipe": ("Recipe", "find_recipe"),
    "reporting.report": ("Report", "report"),
    "tflite.inspection": ("inspect",),
    "tflite.metadata_writer": ("Texts",),
    "training.runs": ("Run", "read_run"),
    "training.settings": ("Augmentation", "TrainingSettings"),
    "training.train": ("resume_training", "train"),
}
"""The public names by the module that defines them: what type checkers read above, at run time."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """A public name, from its module (PEP 562)."""
        for module, names in _MODULES.items():
            if name in names:
                import importlib

                value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return [*__all__, "__version__"]
