"""What somebody asks to embed, put together: texts and pictures out of their sources, encoders out of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shortlist_content.clip import Clip
from shortlist_content.embed import Embedded, embed_pictures, embed_texts
from shortlist_content.encoder import Encoder
from shortlist_content.image import efficientnet_lite0, image_encoder_in
from shortlist_content.inputs import column_texts, file_texts, joined, pictures_in
from shortlist_content.movielens_content import COLUMNS, FilmContent, film_content
from shortlist_content.pinned_wheels import DEFAULT_CACHE, Report, check_at_hand
from shortlist_content.text import minilm, text_encoder_in
from shortlist_data.content import ContentKind
from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """What to embed, and by what."""

    columns: tuple[str, ...] = ()
    """Columns of the items table that are text."""

    text_file: Path | None = None
    """See :func:`shortlist_content.inputs.file_texts`."""

    images: Path | None = None
    """See :func:`shortlist_content.inputs.pictures_in`."""

    archives: tuple[Path, ...] = ()
    """See :func:`shortlist_content.movielens_content.film_content`."""

    text_encoder: Path | None = None
    """Folder of another text encoder than MiniLM."""

    image_encoder: Path | None = None
    """Folder of another image encoder than EfficientNet-Lite0."""

    clip: Path | None = None
    """Folder of CLIP, which then encodes both."""

    wheels: tuple[Path, ...] = ()
    """Wheels on disk that are read instead of downloads."""

    cache: Path = DEFAULT_CACHE


def embed_content(dataset: Dataset, request: EmbedRequest, report: Report) -> dict[ContentKind, Embedded]:
    """Return the embeddings that ``request`` asks for, by kind. Encoders are read only where inputs call for them.

    Raises:
        DataRefused: A source or an encoder cannot be had, options exclude each other, or there is nothing to embed.
        BundleInvalid: A model is not one, or has other inputs or outputs.
    """
    check_at_hand(request.wheels)
    if request.clip and (request.text_encoder or request.image_encoder):
        raise DataRefused("--clip encodes texts and images; leave --text-encoder and --image-encoder out")
    films = film_content(dataset.name, request.archives) if request.archives else FilmContent({}, None, "")
    if request.images and films.pictures:
        raise DataRefused("--images and an --archive of posters are given; take one of them")
    texts, source = _texts(dataset, request, films)
    pictures = pictures_in(request.images) if request.images else films.pictures
    if not texts and pictures is None:
        raise DataRefused("there is nothing to embed: give --text, --text-file, --images or --archive")
    encoders = _Encoders(request, report)
    found: dict[ContentKind, Embedded] = {}
    if texts:
        found[ContentKind.TEXT] = embed_texts(dataset, texts, source, encoders.of_texts(), report)
    if pictures is not None:
        found[ContentKind.IMAGE] = embed_pictures(dataset, pictures, encoders.of_pictures(), report)
    return found


def _texts(dataset: Dataset, request: EmbedRequest, films: FilmContent) -> tuple[Mapping[str, str], str]:
    columns = request.columns or (COLUMNS if films.texts else ())
    texts = joined(column_texts(dataset, columns) if columns else {}, films.texts)
    sources = [*columns, films.source]
    if request.text_file:
        texts = joined(texts, file_texts(request.text_file))
        sources.append(request.text_file.name)
    return texts, ", ".join(source for source in sources if source)


class _Encoders:
    """Makes encoders when they are asked for."""

    def __init__(self, request: EmbedRequest, report: Report) -> None:
        self._request = request
        self._report = report
        self._clip = Clip(request.clip) if request.clip else None

    def of_texts(self) -> Encoder[str]:
        request = self._request
        if self._clip:
            return self._clip.text
        if request.text_encoder:
            return text_encoder_in(request.text_encoder)
        return minilm(request.cache, request.wheels, self._report)

    def of_pictures(self) -> Encoder[bytes]:
        request = self._request
        if self._clip:
            return self._clip.image
        if request.image_encoder:
            return image_encoder_in(request.image_encoder)
        return efficientnet_lite0(request.cache, request.wheels, self._report)
