"""Every contract keeps to the standard and to our rules, and the rules refuse what they should."""

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from gpu_pipeline import contracts
from gpu_pipeline.contracts import COLUMN_TYPES, contract, contract_names, parsed, sources
from gpu_pipeline.errors import ContractError

NAMES = contract_names()
CLASSIFICATIONS = {"internal", "confidential", "personal"}
DOCUMENT = """
apiVersion: v3.1.0
kind: DataContract
id: visits
name: visits
version: 1.0.0
status: active
description: {purpose: "Who came."}
team: {name: web}
slaProperties:
  - {property: retention, value: 2, unit: y}
customProperties:
  - {property: kind, value: event}
  - {property: stage, value: source}
  - {property: eventTime, value: at}
  - {property: bucketBy, value: customer_key}
  - {property: monthsOf, value: at}
schema:
  - name: visits
    logicalType: object
    physicalType: table
    properties:
      - {name: visit_id, physicalType: string, required: true, primaryKey: true,
         primaryKeyPosition: 2, classification: internal}
      - {name: shop, physicalType: string, required: true, primaryKey: true,
         primaryKeyPosition: 1, classification: internal}
      - name: customer_key
        physicalType: int64
        required: true
        classification: personal
        customProperties:
          - {property: pseudonym, value: [{of: email, kind: customer}, {of: cookie, kind: visitor}]}
      - {name: at, physicalType: timestamp, required: true, classification: internal}
      - {name: pages, physicalType: int64, required: true, classification: internal,
         logicalTypeOptions: {minimum: 1, maximum: 99}}
      - {name: device, physicalType: string, classification: internal,
         enum: [{value: phone}, {value: 2}]}
      - {name: score, physicalType: float64, classification: internal,
         logicalTypeOptions: {exclusiveMinimum: 0}}
      - {name: file_no, physicalType: int64, required: true, classification: internal}
"""


def _raw(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(
        (files(contracts) / f"{name}.odcs.yaml").read_text("utf-8")
    )
    return document


def _with(change: str, value: object = None) -> str:
    """The example with one value changed, by its dotted path; None removes it."""
    document = yaml.safe_load(DOCUMENT)
    *path, last = (int(step) if step.isdigit() else step for step in change.split("."))
    target = document
    for step in path:
        target = target[step]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return yaml.safe_dump(document)


@pytest.mark.parametrize("name", NAMES)
def test_a_contract_is_one_of_the_standard_and_nothing_in_it_is_lost(name: str) -> None:
    raw = _raw(name)
    jsonschema.validate(raw, json.loads(_schema()))
    model = OpenDataContractStandard(**raw)
    assert model.model_dump(by_alias=True, exclude_none=True, mode="json") == raw


def _schema() -> str:
    return (files("open_data_contract_standard") / "schema.json").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_contract_says_whose_the_table_is_what_for_and_for_how_long(name: str) -> None:
    found = contract(name)
    assert found.name == name == _raw(name)["id"] == _raw(name)["schema"][0]["name"]
    assert found.owner
    assert found.purpose.endswith(".")
    assert found.retention_years >= 1
    assert found.kind in ("event", "entity")
    assert found.stage in ("source", "rejected", "derived")


@pytest.mark.parametrize("name", NAMES)
def test_every_column_says_what_it_means_and_whether_it_is_personal(name: str) -> None:
    for column in _raw(name)["schema"][0]["properties"]:
        assert column["classification"] in CLASSIFICATIONS, column["name"]
        assert column["description"].endswith("."), column["name"]
    personal = [c.name for c in contract(name).columns if c.pseudonyms or c.redacted]
    assert {contract(name)[column].classification for column in personal} <= {
        "personal",
        "confidential",
    }


@pytest.mark.parametrize("name", NAMES)
def test_what_a_contract_names_is_there(name: str) -> None:
    found = contract(name)
    assert len(set(found.names)) == len(found.names)
    for column in found.columns:
        assert column.money is None or found[column.money].type == "string"
        assert not column.allowed or column.type == "string"
        assert column.default is None or not column.allowed or column.default in column.allowed
    assert all(found[key].required for key in found.key)
    if found.by_month:
        assert found.event_time is not None
        assert found[found.event_time].required


@pytest.mark.parametrize("name", sources())
def test_rows_of_a_source_lead_back_to_their_file(name: str) -> None:
    assert {"file_no", "line"} <= set(contract(name).names)


def test_the_example_is_read_as_it_is_written() -> None:
    found = parsed(DOCUMENT)
    assert (found.owner, found.retention_years, found.kind, found.stage) == (
        *("web", 2, "event", "source"),
    )
    assert (found.event_time, found.bucketed, found.by_month) == ("at", True, True)
    assert found.key == ("shop", "visit_id")
    assert found.sort_order == ("customer_key", "at", "shop", "visit_id")
    assert (found["pages"].minimum, found["pages"].maximum) == (1, 99)
    assert found["score"].above == 0
    assert found["device"].allowed == ("phone", "2")
    assert [way.kind for way in found["customer_key"].pseudonyms] == ["customer", "visitor"]


def test_a_landing_file_may_bring_ids_and_columns_but_not_what_ingest_makes() -> None:
    assert parsed(DOCUMENT).landing_columns == (
        *("email", "cookie", "visit_id", "shop", "at", "pages", "device", "score"),
    )
    orders = contract("orders").landing_columns
    assert orders[:3] == ("customer_id", "order_id", "line_no")
    assert not {"customer_key", "key_kind", "file_no", "line"} & set(orders)


def test_types_on_disk_are_exact_and_say_what_may_be_missing() -> None:
    schema = parsed(DOCUMENT).arrow_schema()
    assert schema.field("at") == pa.field("at", pa.timestamp("us"), nullable=False)
    assert schema.field("score") == pa.field("score", pa.float64(), nullable=True)
    assert schema.field("customer_key") == pa.field("customer_key", pa.int64(), nullable=False)
    assert schema.field("device") == pa.field("device", pa.string(), nullable=True)


@pytest.mark.parametrize(
    ("change", "value", "fault"),
    [
        ("schema.0.properties.4.required", None, "pages is int64 and must be required"),
        ("schema.0.properties.5.physicalType", "bool", "device is bool and must be required"),
        ("schema.0.properties.6.physicalType", "decimal", "score has type 'decimal', allowed are"),
        ("schema.0.properties.6.physicalType", None, "score has type None, allowed are string"),
        ("schema.0.properties.2.name", "person", "bucketed by customer_key, which is not a column"),
        ("schema.0.properties.3.name", "when", "event time at is not a column"),
        ("schema.0.properties", None, "no column is a primary key"),
        ("schema", None, "no column is a primary key"),
        ("description", None, "purpose is missing"),
        ("team", None, "owner is missing"),
        ("slaProperties", None, "retention_years is missing"),
        ("customProperties.0", None, "kind is missing"),
        ("customProperties.0.value", "table", "kind is 'table'"),
        ("customProperties.1", None, "stage is missing"),
        ("customProperties.1.value", "lost", "stage is 'lost'"),
        ("status", 7, "Not an ODCS v3 contract"),
    ],
)
def test_a_broken_rule_is_refused_by_name(change: str, value: object, fault: str) -> None:
    with pytest.raises(ContractError, match=f"visits: .*{fault}|{fault}.*"):
        parsed(_with(change, value))


def test_all_faults_are_told_at_once() -> None:
    text = _with("schema.0.properties.4.required").replace("physicalType: timestamp", "")
    with pytest.raises(
        ContractError, match=r"^Contract visits: .*at has type None.*; pages is int"
    ):
        parsed(text)


@pytest.mark.parametrize("text", ["a: [", "- a", "word", ""])
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(ContractError, match="Not an ODCS v3 contract"):
        parsed(text)


@pytest.mark.parametrize("name", sources())
def test_every_source_has_a_table_for_what_it_refuses(name: str) -> None:
    refused = contract(f"{name}_rejected")
    assert refused.name == f"{name}_rejected"
    assert refused.stage == "rejected"
    assert refused.columns == contract("rejected").columns
    assert refused == contract(name).rejected()


@pytest.mark.parametrize("name", ["visits", "segment_profiles_rejected", "rejected_rejected", ""])
def test_an_unknown_table_is_answered_with_those_that_exist(name: str) -> None:
    with pytest.raises(ContractError, match=f"No contract for '{name}'") as caught:
        contract(name)
    assert ", ".join(NAMES) in str(caught.value)


def test_an_unknown_column_is_answered_with_those_that_exist() -> None:
    with pytest.raises(ContractError, match="Table fx_rates has no column 'rates': it has"):
        contract("fx_rates")["rates"]


def test_the_types_of_columns_are_those_that_frames_and_disk_know() -> None:
    used = {column.type for name in NAMES for column in contract(name).columns}
    assert used <= set(COLUMN_TYPES)


QUALITY = """
    quality:
      - name: "pages: fewer than seconds"
        type: custom
        engine: gpu-pipeline
        severity: warn
        implementation: {expression: "pages >= score", toleratedPercent: 29}
      - {name: rejected, type: custom, engine: gpu-pipeline, severity: stop,
         implementation: {rejectedPercent: 50, fromRows: 100}}
"""


def _ruled(text: str = QUALITY, **clause: Any) -> str:
    """The example with rules of the table, and a clause of its column `pages`."""
    document = yaml.safe_load(DOCUMENT)
    table = document["schema"][0]
    table["quality"] = yaml.safe_load(text)["quality"]
    if clause:
        table["properties"][4]["quality"] = [clause]
    return yaml.safe_dump(document)


def _custom(**implementation: Any) -> dict[str, Any]:
    return {"type": "custom", "engine": "gpu-pipeline", "implementation": implementation}


def test_the_rules_of_a_row_stand_in_one_order_and_are_made_once() -> None:
    found = parsed(_ruled())
    assert [(rule.reason, rule.check) for rule in found.rules] == [
        ("visit_id: missing", "required"),
        ("visit_id: an address or number of a person", "impersonal"),
        ("shop: missing", "required"),
        ("shop: an address or number of a person", "impersonal"),
        ("email or cookie: missing", "identified"),
        ("at: not a time", "readable"),
        ("at: missing", "required"),
        ("pages: not a whole number", "readable"),
        ("pages: missing", "required"),
        ("pages: below 1", "minimum"),
        ("pages: above 99", "maximum"),
        ("device: not one of phone, 2", "allowed"),
        ("score: not a number", "readable"),
        ("score: not above 0", "above"),
        ("pages: fewer than seconds", "compare"),
    ]
    assert {rule.severity for rule in found.rules[:-1]} == {"reject"}
    assert found.rules is found.rules
    assert found["visit_id"].is_id
    assert not found["device"].is_free_text


def test_a_condition_and_a_share_say_how_much_they_tolerate() -> None:
    found = parsed(_ruled())
    condition = found.rules[-1]
    assert (condition.severity, condition.threshold) == ("warn", 0.29)
    assert condition.columns == ("pages", "score")
    unique, rejected = found.file_rules
    assert (unique.check, unique.columns) == ("unique", ("shop", "visit_id"))
    assert (rejected.severity, rejected.threshold, rejected.from_rows) == ("stop", 0.5, 100)


@pytest.mark.parametrize(
    ("clause", "reason", "check", "threshold"),
    [
        (_custom(minimum=1), "pages: below 1", "minimum", 0.0),
        (_custom(maximum=50, toleratedPercent=1), "pages: above 50", "maximum", 0.01),
        (
            {"metric": "nullValues", "mustBeLessOrEqualTo": 7, "unit": "percent"},
            *("pages: missing", "required", 0.07),
        ),
        (
            {"metric": "invalidValues", "arguments": {"validValues": [1, 2]}, "mustBe": 0},
            *("pages: not one of 1, 2", "allowed", 0.0),
        ),
        (
            {"metric": "invalidValues", "arguments": {"pattern": "^1"}, "mustBe": 0},
            *("pages: not like ^1", "pattern", 0.0),
        ),
        (_custom(maxLength=3), "pages: longer than 3 characters", "length", 0.0),
    ],
)
def test_a_clause_adds_a_rule_or_changes_the_one_of_its_reason(
    clause: dict[str, Any], reason: str, check: str, threshold: float
) -> None:
    found = parsed(_ruled(**clause, severity="stop"))
    assert [(r.check, r.severity, r.threshold) for r in found.rules if r.reason == reason] == [
        (check, "stop", threshold)
    ]


@pytest.mark.parametrize(
    ("clause", "fault"),
    [
        (_custom(), "visits: pages: asks for nothing, known are nullValues, validValues"),
        (_custom(minimun=1), "visits: pages: asks for minimun, known are"),
        (_custom(minimum=1, maximum=2), "visits: pages: asks for maximum, minimum, known are"),
        (_custom(minimum=1, tolerated=2), "visits: pages: asks for minimum, tolerated, known"),
        ({"metric": "rowCount", "mustBe": 0}, "pages: asks for rowCount"),
        ({"type": "custom", "engine": "soda", "implementation": "x"}, "pages: asks for nothing"),
        ({**_custom(minimum=1), "severity": "error"}, "severity is 'error', allowed are warn, rej"),
        ({"metric": "nullValues", "mustBeLessThan": 1}, "pages: wants mustBe: 0, or"),
        ({"metric": "nullValues", "mustBeLessOrEqualTo": 5}, "wants mustBe: 0, or"),
        (
            {"metric": "nullValues", "mustBe": 0, "severity": "warn"},
            "'pages: missing' only warns, but a row without pages can't be stored",
        ),
        (_custom(minimum=1, toleratedPercent=101), "tolerates 101%, allowed are 0 to 100 %"),
    ],
)
def test_a_clause_that_can_not_be_kept_is_refused(clause: dict[str, Any], fault: str) -> None:
    with pytest.raises(ContractError) as caught:
        parsed(_ruled(**clause))
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"expression": "pages >= sore"}, "'sore' is no column: there are visit_id, shop"),
        ({"expression": "pages >= at"}, "a number and a time can't be compared so"),
        ({"something": 1}, "asks for something, known are expression, rejectedPercent"),
        ({"expression": "pages > 1", "fromRows": 9}, "asks for expression, fromRows, known are"),
    ],
)
def test_a_rule_of_the_table_is_refused_by_its_name(change: dict[str, Any], fault: str) -> None:
    text = yaml.safe_dump({"quality": [{**_custom(**change), "name": "the clause"}]})
    with pytest.raises(ContractError, match=r"^Contract visits: the clause: ") as caught:
        parsed(_ruled(text))
    assert fault in str(caught.value)


@pytest.mark.parametrize("name", sources())
def test_a_source_says_when_its_files_are_refused_and_how_late_a_row_may_come(name: str) -> None:
    found = contract(name)
    rejected = [rule for rule in found.file_rules if rule.check == "rejected"]
    assert [(rule.severity, rule.threshold) for rule in rejected] == [("stop", 0.5)]
    assert found.late_horizon_days >= 1
    if found.event_time is not None:
        assert found[found.event_time].earliest is not None
    for column in found.columns:
        if column.type == "string" and not (column.allowed or column.pattern):
            assert column.max_length is not None or column.name in ("key_kind",), column.name


@pytest.mark.parametrize("name", NAMES)
def test_every_reason_is_of_one_rule(name: str) -> None:
    reasons = [rule.reason for rule in (*contract(name).rules, *contract(name).file_rules)]
    assert len(set(reasons)) == len(reasons)


@pytest.mark.parametrize("name", sources())
def test_a_reference_names_what_another_contract_has(name: str) -> None:
    found = contract(name)
    for reference in found.references:
        other = contract(reference.table)
        for mine, theirs in zip(reference.columns, reference.key, strict=True):
            assert found[mine].type == other[theirs].type
        for column, values in reference.where:
            assert set(values) <= set(found[column].allowed)


@pytest.mark.parametrize(
    ("relationship", "fault"),
    [
        ({"from": ["visits.pages"], "to": ["shops.a", "shops.b"]}, "pairs ('pages',) with"),
        ({"from": ["visits.nothing"], "to": ["shops.a"]}, "it refers by nothing, which is not"),
        (
            {
                "from": ["visits.shop"],
                "to": ["shops.shop"],
                "customProperties": [{"property": "severity", "value": "stop"}],
            },
            "'shop: not in shops' is 'stop': references only warn",
        ),
    ],
)
def test_a_reference_that_can_not_be_followed_is_refused(
    relationship: dict[str, Any], fault: str
) -> None:
    document = yaml.safe_load(DOCUMENT)
    document["schema"][0]["relationships"] = [relationship]
    with pytest.raises(ContractError) as caught:
        parsed(yaml.safe_dump(document))
    assert fault in str(caught.value)
