"""``canonface audit``: many photos, one model map."""

from __future__ import annotations

from canonface.cli import console, options
from canonface.cli.groups import grouped
from canonface.cli.loading import made_gallery


@grouped
def audit(
    *,
    photos: options.Photos,
    model: options.ModelName,
    out: options.Out,
    target: options.Target = None,
    labels: options.Labels = None,
    by: options.By = None,
    confidence: options.ConfidenceName = None,
    preset: options.Preset = "default",
    patch: options.PatchOptions,
    sampling: options.SamplingOptions,
    people: options.GalleryOptions,
    method: options.MethodOptions,
    mean: options.MeanOptions,
    engine: options.EngineOptions,
    loading: options.LoadOptions,
    aligner: options.AlignerOptions,
    all_faces: options.AllFaces = False,
    pictures: options.PictureOptions,
    failures: options.FailureOptions,
    as_json: options.Json = False,
) -> None:
    """Make the canonical model saliency map of a model over many photos.

    The same command continues an interrupted run.

    Example: canonface audit photos/ --model expression --target happy --labels labels.csv --by gender -o my-run

    With a tenth of the forward passes: canonface audit photos/ --model gender --share 0.1 -o my-run

    With another method: canonface audit photos/ --model gender --method gradcam++ -o my-gradcam-run
    """
    from canonface import pipeline
    from canonface.cli.pictures import finish

    pictures.check()
    keywords = patch.keywords() | method.keywords() | mean.keywords() | {"confidence": confidence}
    loaded = loading.load(model)
    place = aligner.make(all_faces)
    known = None
    if people.gallery is not None:
        known = made_gallery(people.gallery, loaded, people.identity, place, confidence)
    with console.photo_progress(loaded.name) as progress:
        result = pipeline.audit(
            photos,
            loaded,
            out,
            target=target,
            sampling=sampling.sampling(),
            engine=engine.value(),
            labels=labels,
            by=by,
            aligner=place,
            gallery=known,
            progress=progress,
            preset=preset,
            identity=people.identity,
            retry_failed=failures.retry_failed,
            **keywords,
        )
    finish(result, out, pictures, by, as_json, failures.allow_failures)
