"""Studies of ClinicalTrials.gov in the older XML (`clinical_study`), put in the shape of the newer JSON."""

from __future__ import annotations

import re
from typing import Any, Final

from sources.markup.elements import child, descendants, local, text_of

_NAMES: Final = "january february march april may june july august september october november december"
MONTHS: Final = {name: at for at, name in enumerate(_NAMES.split(), 1)}
Study = dict[str, Any]


def as_json(study: Any) -> Study:
    """A study of the older XML in the shape of the newer JSON, as far as that goes."""

    def told(*path: str) -> str:
        return text_of(child(study, *path))

    def block(*path: str) -> str:
        element = child(study, *path)
        return "".join(element.itertext()) if element is not None else ""

    def listed(name: str) -> list[str]:
        return [text_of(one) for one in study if local(one) == name]

    def outcomes(name: str) -> list[Study]:
        return [
            {
                "measure": text_of(child(one, "measure")),
                "timeFrame": text_of(child(one, "time_frame")),
                "description": text_of(child(one, "description")),
            }
            for one in study
            if local(one) == name
        ]

    def items(name: str, label: str, kind: str) -> list[Study]:
        return [
            {
                label: text_of(child(one, "arm_group_label" if name == "arm_group" else "intervention_name")),
                "type": text_of(child(one, kind)),
                "description": text_of(child(one, "description")),
            }
            for one in study
            if local(one) == name
        ]

    design = child(study, "study_design_info")
    info = {
        name: text_of(child(design, tag))
        for name, tag in (
            ("allocation", "allocation"),
            ("interventionModel", "intervention_model"),
            ("primaryPurpose", "primary_purpose"),
            ("observationalModel", "observational_model"),
            ("timePerspective", "time_perspective"),
        )
    }
    count = told("enrollment")
    return {
        "protocolSection": {
            "identificationModule": {
                "nctId": told("id_info", "nct_id"),
                "briefTitle": told("brief_title"),
                "officialTitle": told("official_title"),
            },
            "statusModule": {
                "overallStatus": told("overall_status"),
                "whyStopped": told("why_stopped"),
                "startDateStruct": {"date": told("start_date")},
                "completionDateStruct": {"date": told("completion_date")},
                "lastUpdateSubmitDate": _iso(told("last_update_submitted") or told("lastchanged_date")),
            },
            "sponsorCollaboratorsModule": {"leadSponsor": {"name": told("sponsors", "lead_sponsor", "agency")}},
            "conditionsModule": {"conditions": listed("condition"), "keywords": listed("keyword")},
            "descriptionModule": {
                "briefSummary": block("brief_summary", "textblock"),
                "detailedDescription": block("detailed_description", "textblock"),
            },
            "designModule": {
                "studyType": told("study_type"),
                "phases": [one for one in [told("phase")] if one and one != "N/A"],
                "designInfo": {**info, "maskingInfo": {"masking": text_of(child(design, "masking"))}},
                "enrollmentInfo": {"count": count, "type": child(study, "enrollment").get("type") or ""}
                if count
                else {},
            },
            "armsInterventionsModule": {
                "armGroups": items("arm_group", "label", "arm_group_type"),
                "interventions": items("intervention", "name", "intervention_type"),
            },
            "outcomesModule": {
                "primaryOutcomes": outcomes("primary_outcome"),
                "secondaryOutcomes": outcomes("secondary_outcome"),
                "otherOutcomes": outcomes("other_outcome"),
            },
            "eligibilityModule": {
                "sex": told("eligibility", "gender"),
                "minimumAge": told("eligibility", "minimum_age"),
                "maximumAge": told("eligibility", "maximum_age"),
                "eligibilityCriteria": block("eligibility", "criteria", "textblock"),
            }
            if child(study, "eligibility") is not None
            else {},
        },
        "resultsSection": _results_of_xml(child(study, "clinical_results")),
    }


def _results_of_xml(results: Any) -> Study:
    """Outcome measures of the older XML."""
    measures = []
    for outcome in descendants(results, "outcome"):
        groups = [
            {"id": one.get("group_id"), "title": text_of(child(one, "title"))} for one in descendants(outcome, "group")
        ]
        for measure in descendants(outcome, "measure"):
            classes = []
            for each in [*descendants(measure, "class")] or [measure]:
                categories = [
                    {
                        "title": text_of(child(one, "title")) or text_of(child(one, "sub_title")),
                        "measurements": [
                            {
                                "groupId": value.get("group_id"),
                                "value": value.get("value") or text_of(value),
                                "spread": value.get("spread"),
                                "lowerLimit": value.get("lower_limit"),
                                "upperLimit": value.get("upper_limit"),
                            }
                            for value in descendants(one, "measurement")
                        ],
                    }
                    for one in descendants(each, "category")
                ]
                classes.append(
                    {"title": text_of(child(each, "title")) if each is not measure else "", "categories": categories}
                )
            measures.append(
                {
                    "title": text_of(child(measure, "title")) or text_of(child(outcome, "title")),
                    "groups": groups,
                    "classes": classes,
                    "description": text_of(child(outcome, "description")),
                    "unitOfMeasure": text_of(child(measure, "units")),
                    "paramType": text_of(child(measure, "param")),
                    "dispersionType": text_of(child(measure, "dispersion")),
                }
            )
    return {"outcomeMeasuresModule": {"outcomeMeasures": measures}}


def _iso(told: str) -> str | None:
    """ "March 5, 2016" or "March 2016" as 2016-03-05 or 2016-03."""
    found = re.fullmatch(r"([A-Za-z]+)(?: (\d{1,2}),)? (\d{4})", told)
    if found is None or found[1].lower() not in MONTHS:
        return None
    return f"{found[3]}-{MONTHS[found[1].lower()]:02d}" + (f"-{int(found[2]):02d}" if found[2] else "")
