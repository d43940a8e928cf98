"""What goes in and comes out, as types: every answer is an `Answer`, every failure a `Problem`."""

from api.schemas.answers import (
    Answer,
    Fault,
    Modelled,
    ModelNote,
    Page,
    Problem,
    SnapshotNote,
    Status,
)
from api.schemas.customers import (
    Customer,
    CustomerFeatures,
    CustomerIds,
    CustomerValue,
    FoundCustomer,
    OpenCase,
)
from api.schemas.models import Model
from api.schemas.product_card import DemandOutlook, ProductCard
from api.schemas.products import (
    Forecast,
    ForecastDay,
    Product,
    ProductQuality,
    QualityWeek,
    RelatedProduct,
    Relation,
)
from api.schemas.reorder import ProductReorder, ProductTraffic, ReorderLocation, ReorderPlan
from api.schemas.segments import (
    AssignedSegment,
    CustomerSegment,
    NewCustomers,
    Segment,
    SegmentMove,
    SegmentTrait,
)
from api.schemas.texts import Sentiment, Texts
from api.schemas.trends import Alert, AlertKind, FunnelDay, MoodDay, RisingTerm, Trends

__all__ = [
    "Alert",
    "AlertKind",
    "Answer",
    "AssignedSegment",
    "Customer",
    "CustomerFeatures",
    "CustomerIds",
    "CustomerSegment",
    "CustomerValue",
    "DemandOutlook",
    "Fault",
    "Forecast",
    "ForecastDay",
    "FoundCustomer",
    "FunnelDay",
    "Model",
    "ModelNote",
    "Modelled",
    "MoodDay",
    "NewCustomers",
    "OpenCase",
    "Page",
    "Problem",
    "Product",
    "ProductCard",
    "ProductQuality",
    "ProductReorder",
    "ProductTraffic",
    "QualityWeek",
    "RelatedProduct",
    "Relation",
    "ReorderLocation",
    "ReorderPlan",
    "RisingTerm",
    "Segment",
    "SegmentMove",
    "SegmentTrait",
    "Sentiment",
    "SnapshotNote",
    "Status",
    "Texts",
    "Trends",
]
