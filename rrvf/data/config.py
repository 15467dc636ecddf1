"""The `data` section of a profile: named splits, each with the source, the number and the seed of its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, model_validator

from rrvf.domains import CHART, DOMAINS, NANO_CANVAS, WEB, Canvas, DomainName
from rrvf.errors import UserError
from rrvf.wrong_keys import explained

#: Size of a seed range of the generators: one each for pre-training, training and test.
SEED_RANGE = 1_000_000
#: Rows of the data set, by version.
WEBSIGHT_ROWS = {"v0.1": 822_987, "v0.2": 1_922_671}

#: Fields that several kinds share.
Kind = Field(description="the source of the pictures")
Count = Annotated[int | None, Field(gt=0, description="number of pictures; null: all")]
Some = Annotated[int, Field(gt=0, description="number of pictures")]
Seed = Annotated[int, Field(description="seed of the order of the pictures")]
Source = Annotated[str, Field(description="a hub id, or a local copy")]


class SplitConfig(BaseModel):
    """Base of all kinds: frozen, refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def overlaps(self, other: SplitConfig) -> bool:
        """Whether both may hold the same picture: they have one source."""
        return type(self) is type(other)


class Generated(SplitConfig):
    """Charts or pages of our own generators, with seeds from `seed` on.

    No program occurs in two generated splits of a profile, nor among the first `pretraining` seeds of the generator,
    which the shipped policy was pre-trained on.
    """

    kind: Literal["generated_charts", "generated_wide_charts", "generated_pages", "generated_long_pages"] = Kind
    count: Some
    seed: int = Field(
        ge=SEED_RANGE, description="the generator's first seed: training from 1,000,000, tests from 2,000,000"
    )
    pretraining: int = Field(
        default=50_000,
        ge=0,
        le=SEED_RANGE,
        description="number of seeds that the shipped policy knows; their programs are left out",
    )
    canvas: Canvas = Field(default=NANO_CANVAS, description="canvas of the pictures")

    def overlaps(self, other: SplitConfig) -> bool:
        """Never: a program that an earlier split has is left out."""
        return False

    @property
    def domain(self) -> DomainName:
        """The domain of the generator that the kind names."""
        return next(d.name for d in DOMAINS.values() if self.kind.removeprefix("generated_") in d.generators)


class Gallery(SplitConfig):
    """Matplotlib's gallery, at the scripts' own size. `count` None, here and below: all pictures."""

    kind: Literal["gallery"] = Kind
    count: Count = None
    seed: Seed = 0

    domain: ClassVar[DomainName] = CHART.name

    def overlaps(self, other: SplitConfig) -> bool:
        """Also with Plot2Code, whose figures come from the gallery."""
        return isinstance(other, Gallery | Plot2Code)


class NpmPages(SplitConfig):
    """Pages from MIT-licensed packages of the npm registry."""

    kind: Literal["npm_pages"] = Kind
    count: Count = None
    seed: Seed = 0
    canvas: Canvas = Field(default=Canvas(width=1280, height=720), description="canvas of the pictures")

    domain: ClassVar[DomainName] = WEB.name


class Shipped(SplitConfig):
    """Base of data sets on a hub. Manifests name the commit that was read.

    `revision`: a commit, branch or tag; None: the newest.
    """

    revision: str | None = Field(default=None, description="a commit, branch or tag of the hub; null: the newest")
    #: Fields that choose a part of the data set.
    parts: ClassVar[tuple[str, ...]] = ()

    def overlaps(self, other: SplitConfig) -> bool:
        """Whether both are the same part of one data set."""
        return type(self) is type(other) and all(
            getattr(self, name) == getattr(other, name) for name in ("source", *self.parts)
        )


class ChartMimic(Shipped):
    """ChartMimic's direct task. `source`: the hub id, a local archive, or its unpacked folder.

    `sha256` None accepts any archive. `picture`: the shipped PNG, or the PDF at 120 dpi as in the official runner.
    """

    kind: Literal["chartmimic"] = Kind
    task: Literal["direct_600", "direct_1800"] = Field(description="the 600 test figures, or 1,800 training figures")
    source: Source = "ChartMimic/ChartMimic"
    sha256: str | None = Field(
        default="a9b774a165e2e534f02b269285736cb2eed6bdb433d603a66e835fd768336866",
        description="sha256 of the archive; null: any archive",
    )
    view: Literal["archive", "table"] = Field(default="archive", description="which of the hub's two forms to read")
    picture: Literal["png", "pdf"] = Field(default="png", description="the shipped PNG, or the PDF at 120 dpi")
    count: Count = None

    domain: ClassVar[DomainName] = CHART.name
    parts: ClassVar[tuple[str, ...]] = ("task",)

    @property
    def size(self) -> int:
        """The number of figures in the task. Fewer mean another data set than the paper's."""
        return {"direct_600": 600, "direct_1800": 1800}[self.task]


class Plot2Code(Shipped):
    """Plot2Code's figures: the 132 of matplotlib, which the paper scores, or all 368 (decisions D7)."""

    kind: Literal["plot2code"] = Kind
    source: Source = "TencentARC/Plot2Code"
    figures: Literal["matplotlib", "all"] = Field(default="matplotlib", description="the paper's 132, or all 368")
    count: Count = None

    domain: ClassVar[DomainName] = CHART.name

    @property
    def size(self) -> int:
        """The number of figures. Fewer mean another data set than the paper's."""
        return {"matplotlib": 132, "all": 368}[self.figures]


class WebSight(Shipped):
    """WebSight screenshots. `seed` draws rows from the first `pool`; train and test never share a row (decisions D6).

    The pool limits what is streamed (about 200 kB per row); 0 means the whole set. Both parts need the same pool and
    seed.
    """

    kind: Literal["websight"] = Kind
    part: Literal["train", "test"] = Field(description="one of two parts that share no row")
    count: Some
    version: Literal["v0.1", "v0.2"] = Field(default="v0.2", description="version of the data set")
    source: Source = "HuggingFaceM4/WebSight"
    pool: int = Field(default=15_000, ge=0, description="number of first rows to draw from; 0: all")
    seed: Seed = 0

    domain: ClassVar[DomainName] = WEB.name
    parts: ClassVar[tuple[str, ...]] = ("part", "version")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        rows = self.pool or WEBSIGHT_ROWS[self.version]
        if self.count > rows // 2:
            raise ValueError(f"count {self.count} is more than half of the pool of {rows} rows")
        return self


class ColdStart(Shipped):
    """The released warm-up pairs (decisions D8, cc-by-nc-4.0). Their column names are unpublished: set them here."""

    kind: Literal["cold_start"] = Kind
    source: Source = "syficy/rrvf_coldstart_chartqa"
    hub_split: str = Field(default="train", description="the hub's name of the split")
    image_column: str = Field(default="image", description="the column of the pictures")
    code_column: str = Field(default="code", description="the column of the target texts")
    count: Count = None

    domain: ClassVar[DomainName] = CHART.name
    parts: ClassVar[tuple[str, ...]] = ("hub_split",)


class Folder(SplitConfig):
    """Pictures of a folder and its sub-folders: PNG, JPEG, WebP (see `rrvf.data.folder`). Code is optional."""

    kind: Literal["folder"] = Kind
    path: str = Field(description="the folder")
    domain: DomainName = Field(description="what the pictures show")
    count: Count = None
    seed: Seed = 0
    part: Literal["train", "test"] | None = Field(
        default=None, description="one of two parts that share no picture; null: all pictures"
    )
    share: float = Field(default=0.2, gt=0, lt=1, description="share of the pictures in the test part")
    licence: str = Field(default="unknown", description="licence of the pictures, for the manifest")
    canvas: Canvas | None = Field(default=None, description="canvas that the pictures are scaled to; null: unchanged")

    @property
    def folder(self) -> Path:
        """The folder's place, without links."""
        return Path(self.path).expanduser().resolve()

    def overlaps(self, other: SplitConfig) -> bool:
        """Whether one folder lies in the other, unless they are the two parts of one folder."""
        if not isinstance(other, Folder):
            return False
        if self.folder != other.folder:
            return self.folder in other.folder.parents or other.folder in self.folder.parents
        return None in (self.part, other.part) or self.part == other.part


AnySplit = Annotated[
    Generated | Gallery | NpmPages | ChartMimic | Plot2Code | WebSight | ColdStart | Folder,
    Field(discriminator="kind"),
]


class DataConfig(RootModel[dict[str, AnySplit]]):
    """All splits of a profile by name."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        """Refuse parts of WebSight, or of a folder, that may overlap: they must share one permutation."""
        if len({(s.pool, s.seed) for s in self.root.values() if isinstance(s, WebSight)}) > 1:
            raise ValueError("the WebSight splits differ in pool or seed: give both the same, or they may overlap")
        ways: dict[Path, set] = {}
        for s in self.root.values():
            if isinstance(s, Folder):
                cut = (s.seed, s.share) if s.part else None
                ways.setdefault(s.folder, set()).add(cut)
        if several := next((folder for folder, cuts in ways.items() if len(cuts) > 1), None):
            raise ValueError(f"the splits of {several} overlap: give each a `part`, with the same seed and share")
        return self

    def canvas(self, name: str) -> Canvas | None:
        """The canvas of a split. None for pictures that ship, and where programs set their own size."""
        return getattr(self.root.get(name), "canvas", None)

    @classmethod
    def read(cls, section: DataConfig | dict[str, Any]) -> DataConfig:
        """A profile's `data` section as a DataConfig. The UserError names the key that is wrong."""
        try:
            return section if isinstance(section, cls) else cls.model_validate(section)
        except ValidationError as error:
            raise UserError(explained(error, cls, "data")) from None
