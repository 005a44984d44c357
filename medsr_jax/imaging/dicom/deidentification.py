"""De-identification by the Basic Application Level Confidentiality Profile (PS3.15 E.2 and Table E.1-1).

The table and its dummy values are those of dicom-anonymizer, an extra. It is applied at all levels here, and UIDs and
pseudonyms are computed under a secret key: the same everywhere for one original, and nothing to anyone without the key.
Beyond the table, what can't be judged is removed: private elements, elements of unknown tag or VR, and names, dates and
titles of machines that the table does not list. Pixels are left alone: text in them is neither looked for nor removed.
"""

from __future__ import annotations

import base64
import copy
import dataclasses
import functools
import hmac
import os
from typing import TYPE_CHECKING, Any

from medsr_jax import __version__
from medsr_jax.errors import MedsrError, concerning
from medsr_jax.imaging.dicom.uids import keyed_uid

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

    from medsr_jax.imaging.image import Image

EDITION = "2026c"
NOTE = f"de-identified by the Basic Profile of PS3.15 ({EDITION}); text in the pixels was not looked for"

_PROFILE = ("113100", "Basic Application Confidentiality Profile")
_CATEGORIES = {
    "D_TAGS": "D",
    "Z_TAGS": "Z",
    "X_TAGS": "X",
    "U_TAGS": "U",
    "Z_D_TAGS": "Z/D",
    "X_Z_TAGS": "X/Z",
    "X_D_TAGS": "X/D",
    "X_Z_D_TAGS": "X/Z/D",
    "X_Z_U_STAR_TAGS": "X/Z/U*",
}
# Of the table's choices, the one that a class needs. Enhanced classes, PET and ophthalmic photography have attributes
# of Type 1 among these; elsewhere they are of Type 2 or 3.
_CHOICES = {"Z/D": "Z", "X/Z": "Z", "X/D": "X", "X/Z/D": "X", "X/Z/U*": "U"}
_STRICT_CHOICES = {**_CHOICES, "Z/D": "D", "X/D": "D", "X/Z/D": "D"}
_STRICT_MODALITIES = ("PT", "OP")
_EXCEPTIONS = {
    "ResponsiblePerson": "Z",  # of Type 2C where the patient is an animal; the table removes it
    "ResponsiblePersonRole": "X",  # allowed for a person who is named
    "ReferencedStudySequence": "X",  # of Type 3 in images, where it may not be empty
}

# UIDs of kinds of things, not of things.
_CLASS_UIDS = frozenset(
    [
        "SOPClassUID",
        "ReferencedSOPClassUID",
        "RelatedGeneralSOPClassUID",
        "OriginalSpecializedSOPClassUID",
        "CodingSchemeUID",
        "ContextUID",
        "ContextGroupExtensionCreatorUID",
        "MappingResourceUID",
    ]
)
_IDENTIFYING_VRS = frozenset(["PN", "DA", "DT", "TM", "AE", "UR"])
_DUMMIES = {"DA": "19000101", "DT": "19000101000000", "TM": "000000"}

# Classes and modalities whose pixels often show the patient's name: ultrasound, Secondary Capture, visible light.
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_BURNED_CLASSES = tuple(_STORAGE + end for end in ("3", "3.1", "6", "6.1", "7", "7.1", "7.2", "7.3", "7.4"))
_BURNED_FAMILIES = (_STORAGE + "77.1.",)
_BURNED_MODALITIES = ("US", "IVUS", "ES", "XC", "GM", "OT", "SC", "DOC")


def deidentify(image: Image, *, secret: bytes | None = None) -> Image:
    """An image whose data set no longer identifies the patient; images that are no DICOM have none and stay.

    Args:
        image: left alone.
        secret: under which UIDs and pseudonyms are computed, so that what belongs together still does and a repetition
            gives the same. Whoever has it can tell which original an object is of. None: random bytes.

    Returns:
        The image with another data set, and a note.

    Raises:
        MedsrError: text is burned into the pixels, or they are of a kind that often has some and the data set does not
            deny it.
        ImportError: dicom-anonymizer is not installed.
    """
    if image.dataset is None:
        return image
    with concerning(image.name):
        _check_pixels(image.dataset)
    dataset = _deidentified(image.dataset, os.urandom(32) if secret is None else secret)
    # Notes name elements that travel as they are; those are removed here.
    notes = tuple(note for note in image.notes if "travel as they are" not in note)
    return dataclasses.replace(image, dataset=dataset, notes=(*notes, NOTE))


@functools.cache
def actions() -> dict[int, str]:
    """Action codes of Table E.1-1 by tag.

    Raises:
        ImportError: dicom-anonymizer is not installed.
        MedsrError: it lacks the edition.
    """
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

    try:
        table = dicom_anonymization_database_selector(f"dicomfields_{EDITION}")
    except ValueError as error:
        raise MedsrError(
            f"dicom-anonymizer lacks the table of {EDITION}", remedy="pip install --upgrade dicom-anonymizer"
        ) from error
    # Repeating groups, which have masks, are overlays and curves: removed as a whole.
    return {
        tag[0] << 16 | tag[1]: action for name, action in _CATEGORIES.items() for tag in table[name] if len(tag) == 2
    }


def _check_pixels(dataset: Dataset) -> None:
    burned = str(dataset.get("BurnedInAnnotation", "") or "")
    if burned == "YES":
        raise MedsrError(
            "states burned-in text, which de-identification leaves", remedy="cut it off before, or don't send it"
        )
    kind = _kind_with_text(dataset)
    if kind and burned != "NO":
        raise MedsrError(
            f"may show the patient's name in its pixels ({kind})",
            remedy="look at it, and set BurnedInAnnotation to NO where it shows none",
        )


def _kind_with_text(dataset: Dataset) -> str:
    """What makes burned-in text likely; empty where nothing does."""
    from pydicom.uid import UID

    sop_class, modality = str(dataset.get("SOPClassUID", "")), str(dataset.get("Modality", "") or "")
    if sop_class in _BURNED_CLASSES or sop_class.startswith(_BURNED_FAMILIES):
        return UID(sop_class).name
    if modality in _BURNED_MODALITIES:
        return f"Modality {modality}"
    if dataset.get("ConversionType"):
        return f"ConversionType {dataset.ConversionType}"
    return "a screen" if any("SCREEN" in str(kind).upper() for kind in _several(dataset.get("ImageType"))) else ""


def _several(value: Any) -> list[Any]:
    if value is None or isinstance(value, (str, bytes)):
        return [value] if value else []
    return list(value)


def _deidentified(source: Dataset, secret: bytes) -> Dataset:
    from pydicom.dataset import Dataset, FileMetaDataset

    dataset = copy.deepcopy(source)
    strict = "SharedFunctionalGroupsSequence" in dataset or dataset.get("Modality") in _STRICT_MODALITIES
    pseudonym = _pseudonym(dataset, secret)
    _Walk(secret, _STRICT_CHOICES if strict else _CHOICES).clean(dataset)
    if pseudonym:
        dataset.PatientName = dataset.PatientID = pseudonym
    dataset.PatientIdentityRemoved = "YES"
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
    method = f"PS3.15 {EDITION} Table E.1-1, Basic Profile, by medsr_jax {__version__}"[:64]
    dataset.DeidentificationMethod = [*_several(dataset.get("DeidentificationMethod")), method]
    code = Dataset()
    code.CodeValue, code.CodeMeaning = _PROFILE
    code.CodingSchemeDesignator = "DCM"
    earlier = dataset.get("DeidentificationMethodCodeSequence") or []
    others = [item for item in earlier if item.get("CodeValue") != _PROFILE[0]]
    dataset.DeidentificationMethodCodeSequence = [*others, code]
    meta, before = FileMetaDataset(), getattr(source, "file_meta", None)
    if before is not None and "TransferSyntaxUID" in before:
        meta.TransferSyntaxUID = before.TransferSyntaxUID
    dataset.file_meta = meta
    return dataset


def _pseudonym(dataset: Dataset, secret: bytes) -> str:
    """The same for all images of a patient, by ID and its issuer, else by name and birth date; empty without either."""
    for kind, keywords in (
        ("id", ("PatientID", "IssuerOfPatientID")),
        ("name", ("PatientName", "PatientBirthDate")),
    ):
        first, second = (_text(dataset.get(keyword)) for keyword in keywords)
        if first:
            digest = hmac.digest(secret, f"{kind}|{first}|{second}".encode("utf-8", "surrogateescape"), "sha256")
            return base64.b32encode(digest[:10]).decode()
    return ""


def _text(value: Any) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return text.strip(" \0^")


@dataclasses.dataclass(frozen=True)
class _Walk:
    """The table, applied at all levels of a data set.

    Attributes:
        secret: of UIDs.
        choices: what to do where the table leaves a choice.
    """

    secret: bytes
    choices: dict[str, str]

    def clean(self, dataset: Dataset, *, otherwise: str = "K") -> None:
        """Apply the table in place; `otherwise` is the action for what it does not list."""
        for tag in list(dataset.keys()):
            action = self._action(dataset, tag, otherwise)
            replaced = None if action in ("X", "K") else self._replaced(dataset, tag, action)
            if replaced is not None:
                dataset[tag] = replaced
            elif action != "K":
                del dataset[tag]

    def _action(self, dataset: Dataset, tag: BaseTag, otherwise: str) -> str:
        from pydicom.datadict import dictionary_has_tag, keyword_for_tag

        from medsr_jax.imaging.dicom.derive import is_plane
        from medsr_jax.imaging.dicom.verbatim import VerbatimElement

        if tag.is_private or is_plane(tag):
            return "X"
        keyword, listed = keyword_for_tag(tag), actions().get(int(tag))
        if keyword in _EXCEPTIONS:
            return _EXCEPTIONS[keyword]
        if listed is not None:
            return self.choices.get(listed, listed)
        element = dataset[tag]
        vr = str(element.VR)
        if isinstance(element, VerbatimElement) or vr == "UN" or not dictionary_has_tag(tag):
            return "X"
        if vr in _IDENTIFYING_VRS:
            return "X"
        if vr == "UI":
            return "K" if keyword in _CLASS_UIDS else "U"
        return otherwise if otherwise == "D" or vr != "SQ" else "U"

    def _replaced(self, dataset: Dataset, tag: BaseTag, action: str) -> Any:
        """The element that takes the place of another; None where there is none to be had."""
        from pydicom.datadict import dictionary_VR
        from pydicom.dataelem import DataElement, empty_value_for_VR

        element = dataset[tag]
        vr = str(element.VR)
        if vr == "SQ":
            if action == "Z":
                return DataElement(tag, vr, [])
            for item in element.value or []:
                self.clean(item, otherwise="D" if action == "D" else "K")
            return element
        if vr == "UN":
            vr = dictionary_VR(tag)
        if vr == "UI" and action in ("U", "D"):
            uids = [self._uid(str(uid)) for uid in _several(element.value)]
            return DataElement(tag, vr, uids if len(uids) > 1 else "".join(uids))
        if action == "Z":
            return DataElement(tag, vr, empty_value_for_VR(vr))
        return _dummy(tag, vr)

    def _uid(self, uid: str) -> str:
        from pydicom.uid import UID

        registered = UID(uid).name != uid  # by the standard, such as the Talairach frame of reference
        return uid if not uid or registered else keyed_uid(self.secret, uid)


def _dummy(tag: BaseTag, vr: str) -> Any:
    """An element with a dummy value; None where its VR has none."""
    from dicomanonymizer.simpledicomanonymizer import replace_element
    from pydicom.dataelem import DataElement

    element = DataElement(tag, vr, _DUMMIES.get(vr))
    if vr not in _DUMMIES:
        try:
            replace_element(element)
        except NotImplementedError:
            return None
    return element
