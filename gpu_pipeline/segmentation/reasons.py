"""Why a customer is in a segment rather than in the next nearest: a few words for each.

A feature speaks for the own centre by how much nearer the customer is to it than to the centre of
the next segment: (x - next)^2 - (x - own)^2, summed over the features the margin by which the own
segment won. Where a feature lies on the other side of the middle between the two centres, it
speaks against, and is no reason.
"""

from collections.abc import Sequence

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.segmentation.preparation import Floats
from gpu_pipeline.segmentation.wording import wording

__all__ = ["NO_OTHER", "REASONS", "assignment_reasons", "known_features", "phrases", "reason_codes"]

NO_OTHER = -2  # the next segment where there is only one
REASONS = ("reason_1", "reason_2", "reason_3")
_PHRASES = 5  # of each feature
_STANDS_OUT = 0.5  # standard deviations from the mean of all customers


def assignment_reasons(
    points: Array,
    labels: Array,
    *,
    known: Array,
    centres: Floats,
    segments: Sequence[int],
    names: Sequence[str],
    backend: Backend,
) -> Frame:
    """next_segment and the `REASONS` of each customer, in their order, numbered from 0.

    `points` (customers, features) and `centres` (segments, features) are in standard deviations,
    `labels` and `segments` are numbers of segments: of each customer, and of each centre; `known`
    (customers, features) is what `known_features` gives. A reason says in words what a feature
    called one of `names` is like: as such where the customer stands out among all ("orders often"),
    else in comparison with the next segment ("more orders"). It is null where no feature is left
    that speaks for the own segment. Who is in no segment (-1) is told what takes them away from
    the nearest one.
    """
    words = backend.frames.Series(phrases(names), dtype="str")
    following, codes = reason_codes(
        points, labels, known=known, centres=centres, segments=segments, backend=backend
    )
    told = {
        reason: words.take(code).reset_index(drop=True)
        for reason, code in zip(REASONS, codes, strict=True)
    }
    return backend.frames.DataFrame({"next_segment": following, **told})


def reason_codes(
    points: Array,
    labels: Array,
    *,
    known: Array,
    centres: Floats,
    segments: Sequence[int],
    backend: Backend,
) -> tuple[Array, list[Array]]:
    """(next_segment, the places of the `REASONS` among `phrases`) of each customer, as arrays."""
    at_once, pieces = backend.rows_at_once, []
    for first in range(0, max(len(points), 1), at_once):
        rows = slice(first, first + at_once)
        following, speaks, away = _margins(points[rows], labels[rows], centres, segments, backend)
        phrase = _codes(points[rows].T, away, known[rows].T, backend)
        pieces.append([following, *_strongest(speaks, phrase, backend)])
    following, *codes = (backend.xp.concatenate(parts) for parts in zip(*pieces, strict=True))
    return following, codes


def known_features(features: Frame, names: Sequence[str]) -> Array:
    """(customers, features) on the frame's device: whether the customer has a value."""
    columns = [features[name].notna().values for name in names]
    known: Array = Backend.of(features).xp.stack(columns, axis=1)
    return known


def _margins(
    points: Array, labels: Array, centres: Floats, segments: Sequence[int], backend: Backend
) -> tuple[Array, Array, Array]:
    """(number of the next segment, how much each feature speaks for the own one, way from next).

    The latter two are (features, customers); what speaks against is negative.
    """
    xp = backend.xp
    numbers, places = xp.asarray(segments), xp.asarray(centres)
    own = xp.stack([labels == segment for segment in segments])
    has_own = own.any(axis=0)
    squares = xp.stack([((points - centre) ** 2).sum(axis=1) for centre in places])
    following = xp.where(own, xp.inf, squares).argmin(axis=0)
    away = (points - places[following]).T
    from_own = xp.where(has_own, (points - places[own.argmax(axis=0)]).T, 0.0)
    is_only = has_own & (len(segments) == 1)
    return xp.where(is_only, NO_OTHER, numbers[following]), away**2 - from_own**2, away


def _codes(columns: Array, away: Array, known: Array, backend: Backend) -> Array:
    """The number of the phrase (features, customers): see `phrases`."""
    is_high = away > 0
    stands_out = backend.xp.where(is_high, columns, -columns) >= _STANDS_OUT
    phrase = backend.xp.where(known, is_high + 2 * ~stands_out, _PHRASES - 1)
    return _PHRASES * backend.xp.arange(len(columns))[:, None] + phrase


def _strongest(speaks: Array, codes: Array, backend: Backend) -> list[Array]:
    """The codes of the features that speak most for the own segment; the last one of none."""
    rows = backend.xp.arange(speaks.shape[1])
    left, found = speaks.copy(), []
    for _ in REASONS:
        best = left.argmax(axis=0)
        is_reason = left[best, rows] > 0
        found.append(backend.xp.where(is_reason, codes[best, rows], _PHRASES * len(codes)))
        left[best, rows] = 0.0
    return found


def phrases(names: Sequence[str]) -> list[str | None]:
    """Those of each feature: low, high, in comparison less, more, and of one without a value.

    The last place is that of no reason.
    """
    found: list[str | None] = []
    for name in names:
        words = wording(name)
        found += [words.low, words.high, words.less, words.more]
        # What the whole shop lacks is no reason for anybody.
        found.append(words.none or None)
    return [*found, None]
