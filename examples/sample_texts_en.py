"""The English documents of the sample, written for it. Every patient in them is invented."""

HYPERTENSION_2019 = """---
title: Management of hypertension in adults
series: sample-hypertension
edition: "2019"
date: 2019-05-02
publisher: Sample Society of Internal Medicine
license: CC-BY-4.0
---

# Management of hypertension in adults

This guideline is for clinicians who look after adults with raised blood pressure in primary care. It was written for the sample of this project; it follows what major societies recommend, and it is no substitute for them.

## Diagnosis

Measure blood pressure in both arms on the first visit, with the patient seated and rested for five minutes. If the first reading is 140/90 mmHg or higher, take a second one, and record the lower of the two. Offer ambulatory monitoring to confirm the diagnosis before treatment is started, unless blood pressure is 180/120 mmHg or higher with signs of organ damage.

## Thresholds and targets

| Group | Start drugs at | Target |
|---|---|---|
| Adults under 80 years | 140/90 mmHg | below 140/90 mmHg |
| Adults of 80 years and over | 150/90 mmHg | below 150/90 mmHg |
| Diabetes or kidney disease | 140/90 mmHg | below 130/80 mmHg |

## Treatment

1. Advise every patient on salt (below 5 g a day), weight, alcohol, exercise and smoking.
2. Begin with an ACE inhibitor or an angiotensin receptor blocker in adults under 55 years, and with a calcium channel blocker in those of 55 years and over.
3. Combine two classes when the target is not reached after four weeks; add a thiazide-like diuretic as the third drug.
4. Check potassium and creatinine one to two weeks after an ACE inhibitor or a receptor blocker is started.

Do not combine an ACE inhibitor with an angiotensin receptor blocker. Refer patients whose blood pressure stays above 140/90 mmHg on three drugs, one of them a diuretic.

## Follow-up

See patients every month until the target is reached, and every three to six months from then on. Ask about side effects and about missed doses at each visit.
"""

HYPERTENSION_2024 = (
    HYPERTENSION_2019.replace('edition: "2019"', 'edition: "2024"')
    .replace("2019-05-02", "2024-04-18")
    .replace(
        "| Adults under 80 years | 140/90 mmHg | below 140/90 mmHg |",
        "| Adults under 80 years | 140/90 mmHg | below 130/80 mmHg |",
    )
    .replace("when the target is not reached after four weeks", "from the start, preferably in one tablet")
    .replace(
        "Ask about side effects and about missed doses at each visit.",
        "Ask about side effects and about missed doses at each visit, and teach home measurement.",
    )
)

SEPSIS_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>First hour of sepsis in adults</title></head>
<body>
<h1>First hour of sepsis in adults</h1>
<p>Sepsis is life-threatening organ dysfunction caused by a dysregulated response of the host to infection. Septic shock is sepsis in which vasopressors are needed to keep a mean arterial pressure of 65&nbsp;mmHg and in which lactate stays above 2&nbsp;mmol/L after adequate fluid. This pathway is for emergency departments; it was written for the sample of this project.</p>
<h2>Recognise</h2>
<p>Suspect sepsis in any adult with signs of infection and a new change in mental state, a respiratory rate of 22 a minute or more, or a systolic pressure of 100&nbsp;mmHg or less. A normal temperature does not exclude sepsis, least of all in old people and in those on steroids.</p>
<h2>Act within one hour</h2>
<ol><li>Measure lactate, and measure it again within four hours when it is above 2&nbsp;mmol/L.</li>
<li>Take two sets of blood cultures before antibiotics, if that delays them by no more than 45 minutes.</li>
<li>Give broad-spectrum antibiotics into a vein, chosen by the likely source and by local resistance.</li>
<li>Give 30&nbsp;mL/kg of crystalloid within three hours when there is hypotension or a lactate of 4&nbsp;mmol/L or more.</li>
<li>Start noradrenaline when the mean arterial pressure stays below 65&nbsp;mmHg during or after fluid.</li></ol>
<h2>Dose of noradrenaline</h2>
<table><tr><th>Step</th><th>Rate</th><th>Check</th></tr>
<tr><td>Start</td><td>0.05 micrograms/kg/min</td><td>pressure every 5 minutes</td></tr>
<tr><td>Increase</td><td>by 0.02 micrograms/kg/min</td><td>until 65 mmHg</td></tr>
<tr><td>Add vasopressin</td><td>0.03 units/min</td><td>when above 0.25 micrograms/kg/min</td></tr></table>
<p>Look for the source and control it: drain an abscess, remove an infected catheter, relieve an obstructed kidney. Review the antibiotics every day, and stop or narrow them as soon as cultures and the course allow.</p>
</body></html>
"""

CNXML_PRESSURE = """<document xmlns="http://cnx.rice.edu/cnxml" xmlns:md="http://cnx.rice.edu/mdml" xmlns:m="http://www.w3.org/1998/Math/MathML">
<title>How the Body Regulates Blood Pressure</title>
<metadata><md:content-id>s00001</md:content-id><md:title>How the Body Regulates Blood Pressure</md:title>
<md:license url="http://creativecommons.org/licenses/by/4.0/">CC BY 4.0</md:license></metadata>
<content>
<para id="p1">Arterial pressure must be high enough to drive blood through every organ and low enough to spare the vessel wall. The body holds it within narrow limits by mechanisms that act within seconds, minutes and days. Physicians meet each of them again at the bedside: in the patient who faints on standing up, in the one who bleeds, and in the one whose kidneys fail.</para>
<section id="s1"><title>Pressure, Flow and Resistance</title>
<para id="p2">Mean arterial pressure is the product of <term>cardiac output</term> and <term>total peripheral resistance</term>:</para>
<equation id="e1"><m:math><m:mi>MAP</m:mi><m:mo>=</m:mo><m:mi>CO</m:mi><m:mo>×</m:mo><m:mi>TPR</m:mi></m:math></equation>
<para id="p3">Resistance depends on the fourth power of the radius of the vessel, so that a small change in the calibre of arterioles has a large effect on pressure. Halving the radius raises resistance sixteen times.</para></section>
<section id="s2"><title>Fast Control: the Baroreceptor Reflex</title>
<para id="p4">Baroreceptors in the carotid sinus and the aortic arch fire more when the wall is stretched. Their signals reach the nucleus of the solitary tract in the medulla, which slows the heart by the vagus nerve and relaxes vessels by withdrawing sympathetic tone. The reflex answers within seconds, but it adapts to a lasting change within days, which is why it does not protect from chronic hypertension.</para>
<list id="l1" list-type="bulleted"><item>Standing up: pressure at the receptors falls, the heart speeds up, veins constrict.</item><item>Massage of the carotid sinus: the heart slows.</item><item>Loss of blood: sympathetic tone rises, the skin turns pale and cold.</item></list></section>
<section id="s3"><title>Slow Control: the Kidney</title>
<para id="p5">Over days, the kidney decides. A rise in pressure makes it excrete more sodium and water (pressure natriuresis) until pressure has come down. Renin, released when the kidney is poorly perfused, leads to angiotensin II, which constricts arterioles, and to aldosterone, which retains sodium.</para>
<table id="t1" summary="mechanisms"><title>Mechanisms by speed</title><tgroup cols="3"><thead><row><entry>Mechanism</entry><entry>Acts within</entry><entry>Acts on</entry></row></thead><tbody><row><entry>Baroreceptor reflex</entry><entry>seconds</entry><entry>heart rate, arterioles, veins</entry></row><row><entry>Renin and angiotensin</entry><entry>minutes to hours</entry><entry>arterioles, thirst</entry></row><row><entry>Pressure natriuresis</entry><entry>days</entry><entry>blood volume</entry></row></tbody></tgroup></table></section>
</content>
<glossary><definition id="g1"><term>baroreceptor</term><meaning>stretch-sensitive nerve ending in the wall of an artery</meaning></definition>
<definition id="g2"><term>pressure natriuresis</term><meaning>excretion of sodium that rises with arterial pressure</meaning></definition></glossary>
</document>
"""

CNXML_GLUCOSE = """<document xmlns="http://cnx.rice.edu/cnxml" xmlns:md="http://cnx.rice.edu/mdml">
<title>Glucose and Its Hormones</title>
<metadata><md:content-id>s00002</md:content-id><md:title>Glucose and Its Hormones</md:title></metadata>
<content>
<para id="p1">Between meals and after them, the concentration of glucose in the blood stays between about 4 and 8 mmol/L. The brain depends on it, and both too little and too much do harm. Two hormones of the pancreas pull in opposite directions: insulin lowers glucose, glucagon raises it.</para>
<section id="s1"><title>After a Meal</title><para id="p2">When glucose rises, beta cells take it up, make adenosine triphosphate from it, close their potassium channels, and release insulin. Insulin moves transporters to the surface of muscle and fat cells, lets the liver store glycogen, and stops it from making new glucose. The intestine helps: its incretins raise the release of insulin while food is being absorbed, which is why glucose by mouth calls for more insulin than the same amount by vein.</para></section>
<section id="s2"><title>During a Fast</title><para id="p3">When glucose falls, alpha cells release glucagon. The liver breaks down glycogen within hours, and makes glucose from lactate, glycerol and amino acids when glycogen is spent. After two or three days the liver turns fatty acids into ketone bodies, which feed the brain and spare protein.</para></section>
<section id="s3"><title>When Regulation Fails</title><para id="p4">In type 1 diabetes the beta cells are destroyed by the immune system; without insulin, fat is broken down without restraint, and ketoacidosis follows. In type 2 diabetes, tissues respond poorly to insulin and beta cells tire in the end. In both, years of high glucose damage the small vessels of the retina, the kidney and the nerves.</para>
<note id="n1"><title>Clinical note</title><para id="p5">A sweating, confused patient with a glucose of 2.4 mmol/L needs glucose at once: 15 to 20 g by mouth if able to swallow, otherwise 150 to 200 mL of 10% glucose into a vein, or 1 mg of glucagon into a muscle.</para></note></section>
</content></document>
"""

CNXML_COLLECTION = """<col:collection xmlns:col="http://cnx.rice.edu/collxml" xmlns:md="http://cnx.rice.edu/mdml">
<metadata><md:title>A Small Physiology for the Sample</md:title><md:language>en</md:language><md:license url="http://creativecommons.org/licenses/by/4.0/">CC BY 4.0</md:license></metadata>
<col:content><col:subcollection><md:title>Circulation</md:title><col:content><col:module document="s00001"/></col:content></col:subcollection>
<col:subcollection><md:title>Metabolism</md:title><col:content><col:module document="s00002"/></col:content></col:subcollection></col:content>
</col:collection>
"""


def jats(
    doi,
    kind,
    title,
    abstract,
    body,
    extra="",
    refs=True,
    date=("2023", "6", "15"),
    journal="Sample Journal of Medicine",
):
    """A small JATS article around the given sections."""
    reference_list = (
        "<back><ref-list><title>References</title><ref id='r1'><label>1</label><mixed-citation>Miller A, Chen B. "
        "An invented reference. Sample J Med 2019;4:11-19.</mixed-citation></ref></ref-list></back>"
        if refs
        else ""
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Publishing DTD v1.2 20190208//EN" "JATS-journalpublishing1.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink" article-type="{kind}" xml:lang="en">
<front><journal-meta><journal-title-group><journal-title>{journal}</journal-title></journal-title-group><publisher><publisher-name>Sample Press</publisher-name></publisher></journal-meta>
<article-meta><article-id pub-id-type="doi">{doi}</article-id><title-group><article-title>{title}</article-title></title-group>
<pub-date pub-type="epub"><day>{date[2]}</day><month>{date[1]}</month><year>{date[0]}</year></pub-date>
<permissions><license xlink:href="https://creativecommons.org/licenses/by/4.0/"><license-p>This is an open access article.</license-p></license></permissions>
{extra}{f"<abstract><p>{abstract}</p></abstract>" if abstract else ""}</article-meta></front>
<body>{body}</body>{reference_list}</article>
"""


TRIAL = jats(
    "10.5555/sample.2023.001",
    "research-article",
    "Home telemonitoring of blood pressure in primary care: a randomised trial",
    "We asked whether telemonitoring at home lowers blood pressure in adults with uncontrolled hypertension. In 24 practices, 812 patients were randomised to telemonitoring with titration by a pharmacist or to usual care. At 12 months the mean systolic pressure was 4.7 mmHg lower with telemonitoring (95% CI 2.9 to 6.5).",
    """<sec><title>Introduction</title><p>Fewer than half of treated patients reach their target <xref ref-type="bibr" rid="r1">[1]</xref>. Readings at home predict stroke better than those in the surgery, but they change treatment only when somebody acts on them. We therefore combined home readings with titration by a pharmacist.</p></sec>
<sec><title>Methods</title><sec><title>Participants</title><p>Adults with a systolic pressure of 145 mmHg or more on treatment were eligible. We excluded pregnant women, patients with atrial fibrillation, and those with an estimated filtration rate below 30 mL/min/1.73 m<sup>2</sup>.</p></sec>
<sec><title>Intervention</title><p>Patients measured their pressure twice each morning for one week every month. A pharmacist saw the mean of the readings and changed drugs by a protocol agreed with the practice.</p></sec></sec>
<sec><title>Results</title><p>Of 812 patients, 771 (95%) were followed up. Table 1 gives the pressures.</p>
<table-wrap id="t1"><label>Table 1</label><caption><p>Systolic pressure in mmHg, mean (SD)</p></caption><table><thead><tr><th>Time</th><th>Telemonitoring</th><th>Usual care</th></tr></thead><tbody><tr><td>Baseline</td><td>153.1 (14.0)</td><td>152.9 (13.7)</td></tr><tr><td>12 months</td><td>136.0 (16.1)</td><td>140.4 (16.5)</td></tr></tbody></table></table-wrap>
<fig id="f1"><label>Figure 1</label><caption><p>Mean systolic pressure over time in the two groups.</p></caption><graphic xlink:href="f1.tif"/></fig>
<p>There was no difference in serious adverse events (31 v 33). Dizziness was reported by 9% and 8%.</p></sec>
<sec><title>Discussion</title><p>Telemonitoring with titration by a pharmacist lowers systolic pressure by about 5 mmHg, which would prevent about one in five strokes if it lasted. The trial was not blinded, and it says nothing of patients who cannot or will not measure at home.</p></sec>""",
)

REVIEW = jats(
    "10.5555/sample.2022.014",
    "systematic-review",
    "Exercise for adults with heart failure: a systematic review",
    "Exercise training is recommended in heart failure, but few patients are offered it. We reviewed 31 randomised trials (4,481 participants). Exercise improved quality of life and probably reduced admissions for heart failure; it made little or no difference to mortality in the first year.",
    """<sec><title>Methods</title><p>We searched four databases to January 2022 for randomised trials of exercise training of at least eight weeks in adults with heart failure. Two reviewers chose trials, took data and judged the risk of bias. We pooled results with a random-effects model and rated certainty by GRADE.</p></sec>
<sec><title>Results</title><list list-type="bullet"><list-item><p>Mortality up to 12 months: risk ratio 0.93 (95% CI 0.71 to 1.21), moderate certainty.</p></list-item><list-item><p>Admission for heart failure: risk ratio 0.61 (0.46 to 0.80), moderate certainty.</p></list-item><list-item><p>Quality of life (Minnesota questionnaire): 7.1 points better (4.2 to 10.0), low certainty.</p></list-item></list><p>Effects did not differ between reduced and preserved ejection fraction, nor between centre-based and home-based programmes.</p></sec>
<sec><title>Conclusion</title><p>Exercise training should be offered to every stable patient with heart failure. Trials in women, in old people and at home are still needed.</p></sec>""",
    date=("2022", "9", "3"),
)

RETRACTED = jats(
    "10.5555/sample.2020.077",
    "research-article",
    "High-dose vitamin X prevents postoperative infection: a trial of 600 patients",
    "In this trial, high-dose vitamin X was reported to halve the rate of infection after abdominal surgery. The vitamin and the trial are invented for the sample, which needs an article that was retracted.",
    """<sec><title>Methods</title><p>Six hundred patients who had abdominal surgery were said to have been randomised to vitamin X or placebo for seven days. The outcome was infection of the surgical site within 30 days of the operation, judged by surgeons who did not know the group.</p></sec>
<sec><title>Results</title><p>Infection was reported in 7% with vitamin X and in 14% with placebo (risk ratio 0.50, 95% CI 0.30 to 0.83). No adverse effect was reported. The duration of hospital stay was the same in both groups.</p></sec>
<sec><title>Discussion</title><p>The authors concluded that vitamin X should be given before every abdominal operation. Readers should note that the data could not be shown to exist, and that the article was retracted by the journal.</p></sec>""",
    date=("2020", "3", "9"),
)

RETRACTION = jats(
    "10.5555/sample.2021.003",
    "retraction",
    "Retraction: High-dose vitamin X prevents postoperative infection: a trial of 600 patients",
    "",
    """<p>The editors retract the article cited above. An inquiry by the authors' hospital found no record that the trial was approved, and the authors could not provide the data of any patient. The conclusions can therefore not be relied upon. The editors thank the readers who drew their attention to identical values in two of the tables. The article and this notice are invented for the sample.</p>""",
    extra="""<related-article related-article-type="retracted-article" ext-link-type="doi" xlink:href="10.5555/sample.2020.077"/>""",
    refs=False,
    date=("2021", "1", "20"),
)

CASE = jats(
    "10.5555/sample.2023.031",
    "case-report",
    "Hyponatraemia after a marathon: an invented case",
    "An invented runner of 34 years was brought to hospital confused after a marathon on a hot day. Sodium was 121 mmol/L. Exercise-associated hyponatraemia was treated with hypertonic saline, and the runner recovered.",
    """<sec><title>Case</title><p>The runner drank at every station and weighed 2 kg more after the race than before. On arrival there was headache, vomiting and confusion; blood pressure was 128/76 mmHg, temperature 37.4 °C. Sodium was 121 mmol/L, glucose 6.1 mmol/L, and urine osmolality 410 mOsm/kg. A bolus of 100 mL of 3% saline was given over ten minutes, and repeated once. Sodium rose to 126 mmol/L within two hours, and the runner was clear by the evening.</p></sec>
<sec><title>Discussion</title><p>Drinking beyond thirst, together with vasopressin that is not suppressed during exercise, dilutes sodium. Isotonic saline may make matters worse; hypertonic saline is the treatment when there are symptoms of the brain. Runners should drink to thirst.</p></sec>""",
    date=("2023", "11", "2"),
)

LABELS_EN = [
    {
        "title": f"Amlodipine {maker} 5 mg tablets",
        "generic": "amlodipine",
        "maker": maker,
        "label": f"""Amlodipine {maker} 5 mg tablets. Each tablet contains amlodipine besilate equivalent to 5 mg of amlodipine.
Indications: hypertension; chronic stable angina; vasospastic angina.
Dosage: the usual initial dose is 5 mg once daily, which may be increased to a maximum of 10 mg once daily depending on the response of the patient. In the elderly, increase of the dose should take place with care. In hepatic impairment begin at the lower end of the range. The dose need not be adjusted in renal impairment, and amlodipine is not dialysable.
Contraindications: severe hypotension; shock, including cardiogenic shock; obstruction of the outflow tract of the left ventricle; haemodynamically unstable heart failure after acute myocardial infarction; hypersensitivity to dihydropyridines.
Interactions: with strong inhibitors of CYP3A4 such as clarithromycin the exposure rises, and close observation is advised. The dose of simvastatin should be limited to 20 mg daily in patients on amlodipine.
Adverse reactions: very common: oedema. Common: headache, dizziness, somnolence, palpitations, flushing, abdominal pain, nausea, ankle swelling, fatigue.
Overdose: peripheral vasodilatation with marked and possibly prolonged hypotension. Treat with elevation of the extremities, fluids, and calcium gluconate. {storage}""",
    }
    for maker, storage in (
        ("Alpha Pharma", "Store below 25 degrees."),
        ("Beta Generics", "Store below 30 degrees in the original package."),
    )
] + [
    {
        "title": "Metformin 500 mg film-coated tablets",
        "generic": "metformin",
        "maker": "Alpha Pharma",
        "label": """Metformin 500 mg film-coated tablets. Each tablet contains 500 mg of metformin hydrochloride.
Indications: type 2 diabetes mellitus in adults, particularly in overweight patients, when diet and exercise alone do not give adequate glycaemic control.
Dosage: 500 mg two or three times daily with or after meals; adjust after 10 to 15 days by blood glucose. The maximum is 3 g daily in three doses. Filtration rate 45 to 59 mL/min: at most 2 g daily. 30 to 44 mL/min: at most 1 g daily. Below 30 mL/min: contraindicated.
Warnings: lactic acidosis is rare but serious; it occurs with acute worsening of renal function, cardiorespiratory illness or sepsis. Interrupt metformin before iodinated contrast and before general anaesthesia, and begin again no earlier than 48 hours later when renal function is stable.
Adverse reactions: very common: nausea, vomiting, diarrhoea, abdominal pain, loss of appetite. Common: taste disturbance, decrease of vitamin B12.""",
    },
    {
        "title": "Paracetamol 500 mg tablets",
        "generic": "paracetamol",
        "maker": "Gamma Health",
        "label": """Paracetamol 500 mg tablets. Each tablet contains 500 mg of paracetamol.
Indications: mild to moderate pain and fever.
Dosage: adults and adolescents of 16 years and over: one or two tablets up to four times daily, at least four hours apart, at most eight tablets (4 g) in 24 hours. Children of 10 to 15 years: one tablet up to four times daily. Not for children under 10 years.
Warnings: do not take with other products that contain paracetamol. Use with care in severe renal impairment, in hepatic impairment and in chronic alcoholism, and in patients of low body weight.
Overdose: liver damage is possible in adults who have taken 10 g or more. Symptoms in the first 24 hours may be pallor, nausea, vomiting and abdominal pain; liver damage may show after 12 to 48 hours. Measure the plasma concentration four hours or later after ingestion, and give acetylcysteine by the nomogram without delay.""",
    },
]

LETTER = """INVENTED PATIENT - NO REAL PERSON

Sample General Hospital, Department of Cardiology
Discharge letter

Patient: Jordan Example, invented, 67 years
Admitted with: acute chest pain

Dear colleague,

This invented patient was brought to the emergency department with pressing chest pain of two hours, with sweating and nausea. The electrocardiogram showed ST elevation in leads II, III and aVF. Aspirin 300 mg, ticagrelor 180 mg and unfractionated heparin were given, and the occluded right coronary artery was opened with one drug-eluting stent 74 minutes after arrival.

The echocardiogram showed an ejection fraction of 48 per cent with hypokinesia of the inferior wall. There was no arrhythmia after the first day. Creatinine was 84 micromol/L, LDL cholesterol 3.9 mmol/L, and HbA1c 41 mmol/mol.

Treatment at discharge: aspirin 75 mg once daily for life, ticagrelor 90 mg twice daily for twelve months, atorvastatin 80 mg at night, ramipril 2.5 mg once daily to be increased as tolerated, bisoprolol 2.5 mg once daily. Please check potassium and creatinine in two weeks, and the lipids in six weeks with a target for LDL of less than 1.4 mmol/L. The patient has been referred to cardiac rehabilitation and was advised to stop smoking.

With kind regards,
Dr Sample, invented
"""

MIGRAINE = """# Migraine: recognising and treating attacks

Migraine is a recurrent headache disorder. Attacks last from 4 to 72 hours, the pain is often on one side, pulsating, of moderate or severe intensity and made worse by movement, and it comes with nausea or with sensitivity to light and sound. About a third of patients have an aura, most often visual, that develops over minutes and lasts less than an hour.

## Treating an attack

Take a simple analgesic early and in a sufficient dose: ibuprofen 400 to 600 mg, naproxen 500 mg, aspirin 900 mg or paracetamol 1 g. Add an antiemetic such as metoclopramide 10 mg when there is nausea. When analgesics fail, take a triptan (sumatriptan 50 to 100 mg); it should not be used in patients with coronary disease, stroke or uncontrolled hypertension. To avoid headache from overuse of medication, take triptans on fewer than ten days a month and simple analgesics on fewer than fifteen.

## Preventing attacks

Offer prevention when attacks come on four or more days a month or are disabling. First choices are propranolol (80 to 160 mg daily), candesartan (16 mg daily), topiramate (50 to 100 mg daily; not in women who may become pregnant without reliable contraception) and amitriptyline (10 to 75 mg at night). Antibodies against CGRP are for patients in whom two or more of these have failed.

## Red flags

Refer at once when a headache is sudden and of maximal intensity within a minute, when there is fever with a stiff neck, a new neurological deficit, a first headache after the age of 50, cancer or immunosuppression, or a headache that wakes the patient and is worse on lying down.
"""

ENCYCLOPEDIA_EN = [
    (
        "Anaphylaxis",
        "Anaphylaxis is a severe, life-threatening, generalised hypersensitivity reaction that begins within minutes to hours. The airway, breathing or circulation is affected, usually with changes of the skin such as urticaria or angioedema. Common triggers are foods, insect venom and drugs. The first treatment is adrenaline into the muscle of the outer thigh, 0.5 mg in adults, repeated after five minutes when there is no improvement. Antihistamines and steroids do not replace it.",
    ),
    (
        "Atrial fibrillation",
        "Atrial fibrillation is a disorder of rhythm in which the atria are excited in a rapid and chaotic way and the ventricles follow irregularly. It raises the risk of stroke about fivefold. Treatment has three parts: anticoagulation by the risk of stroke, control of the rate with beta blockers or other drugs, and, in selected patients, control of the rhythm by cardioversion, drugs or ablation. Risk factors such as hypertension, obesity, sleep apnoea and alcohol should be treated as well.",
    ),
    (
        "Iron deficiency anaemia",
        "Iron deficiency is the commonest cause of anaemia in the world. Ferritin is low, the red cells are small and pale, and the saturation of transferrin falls. In men and in women after the menopause, loss of blood from the gut must be looked for. Treatment is oral iron once daily or on alternate days, continued for three months after haemoglobin has become normal; intravenous iron is used when oral iron is not tolerated or not absorbed.",
    ),
    (
        "Pneumothorax",
        "A pneumothorax is air between the lung and the chest wall. It may arise without a known cause in tall young people, from a disease of the lung, or from an injury. Sudden pain on one side and breathlessness are typical. A small one in a stable patient may be watched; a larger one is drained by needle or tube. In tension pneumothorax the mediastinum is displaced and the circulation fails; it must be relieved at once, before any picture is taken.",
    ),
    (
        "Delirium",
        "Delirium is an acute disturbance of attention and awareness that fluctuates over the day. It is common in old people in hospital and is often missed when it makes them quiet rather than restless. Infection, pain, drugs, retention of urine and constipation are frequent causes. Treatment is of the cause; glasses, hearing aids, daylight, familiar faces and early mobilisation help. Antipsychotic drugs are for severe distress only, in the lowest dose and for the shortest time.",
    ),
    (
        "Hyperkalaemia",
        "Hyperkalaemia is a potassium in the blood above 5.5 mmol/L. It may cause weakness and fatal arrhythmia. With changes in the electrocardiogram, or above 6.5 mmol/L, calcium gluconate is given into a vein to protect the heart, insulin with glucose and salbutamol move potassium into cells, and its removal is achieved by diuretics, binders or dialysis. Haemolysis of the sample should be excluded, and drugs such as spironolactone and ACE inhibitors reviewed.",
    ),
    (
        "Lumbar puncture",
        "A lumbar puncture takes cerebrospinal fluid from the space below the end of the spinal cord, usually between the third and fourth or the fourth and fifth lumbar vertebra. It is contraindicated when intracranial pressure is raised by a mass, when coagulation is impaired, or when the skin is infected. Pressure, cells, protein and glucose are measured. Headache after the puncture is less frequent with atraumatic needles, and most cases resolve within a week.",
    ),
    (
        "Vaccination in pregnancy",
        "Inactivated influenza vaccine is recommended for pregnant women in every trimester, and a dose of pertussis vaccine in each pregnancy, preferably between 16 and 32 weeks, protects the newborn by antibodies that cross the placenta. Live vaccines such as measles, mumps and rubella are contraindicated in pregnancy; women who are not immune should be vaccinated after delivery. Breastfeeding is no reason to delay any of these vaccines.",
    ),
]

LETTER_WINDOWS = """INVENTED PATIENT – NO REAL PERSON

Sample General Hospital – Outpatient clinic for asthma

Patient: Zoë Exämple, invented, 29 years

Dear colleague,

This invented patient has had asthma since childhood. She wakes at night with cough about twice a week, uses salbutamol on four days of the week, and had one course of prednisolone last winter. She does not smoke and has a cat at home.

Spirometry today: FEV1 2.41 L (78% of predicted), which rose by 16% after salbutamol. Exhaled nitric oxide was 52 ppb. There was wheeze on both sides at the end of expiration; the heart was normal, and the temperature was 36.8 °C.

Her asthma is not controlled. We checked how she inhales, and changed her regular treatment to a combination of budesonide 200 µg and formoterol 6 µg, one inhalation twice a day and one as needed, at most eight in a day. She has a written plan that says when to increase treatment and when to come to hospital. We shall see her again in three months – earlier if she needs a course of steroids.

With kind regards
Dr Sample, invented
"""
