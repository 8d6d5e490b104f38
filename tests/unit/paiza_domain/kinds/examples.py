"""One complete draft of each kind, with invented people and companies; what they say never happened."""

from typing import Final

HEAD: Final = "to: [kaz]\nhandling: {tlp: AMBER, code: H2, classification: 1}\nlegal_bases: []\nreview: 3 years\n"

EXAMPLES: Final = {
    "alert": """\
content:
  reference: ТЖК-ОП-7
  alert_type: new-substance
  subject: Порошок с неизвестным опиоидом
  facts: |-
    В вымышленном городе Примерске изъят порошок.
    Лаборатория установила вещество.
  indicators: Белый порошок без запаха
  advice: Не вскрывать без средств защиты
  valid_until: 2027-06-01
  countries: [TJK, UZB]
  concealment:
    - method: in-mail
      location: в книге
  transport:
    - mode: mail
  route:
    - role: departure
      country: XXX
  new_substance:
    name: N-вымышлен
    systematic_name: 1-(образец)-пример
    synonyms: [пудра]
    cas_number: 437-38-7
    inchi_key: WFXAZNNJSKVHJT-UHFFFAOYSA-N
    molecular_formula: C22H28N2O
    molecular_mass: 336.471
    drug_group: nps
    drug_type: nps-opioid
    form: powder
    quantity: 12.5 g
    analyses:
      - technique: gc-ms
        result: m/z 245 (100), 146 (80), 189 (30)
        conditions: Вымышленный прибор
        compared_with: Вымышленная библиотека
        match_percent: 96.5
      - technique: colour-test
        result: оранжевый
    laboratory: Вымышленная лаборатория
    effects: Угнетение дыхания
  safety:
    hazards: [toxic-exposure]
    protection: Перчатки и маска
    first_aid: Налоксон
  links: [TJK-2026-1]
""",
    "precursor-incident": """\
content:
  incident_id: UZB-P-14
  incident_version: 1
  status: initial
  incident_type: stopped-shipment
  occurred_at: 2026-11-20T14:30+05:00
  reporting_agency: Вымышленная таможня
  place:
    country: UZB
    border_point: Вымышленный пост
  chemicals:
    - as_named: уксусный ангидрид
      cas_number: 108-24-7
      hs_code: "291524"
      control: table-i
      quantity: 1200 l
      quantity_basis: estimated
      concentration_percent: 99.5
      batch_number: ВЫМ-001
      label: «Образец», жёлтая
      packaging:
        - type: drum
          count: 6
  companies:
    - role: consignee
      name: ООО «Вымысел»
      country: TJK
      registration_number: "000000"
  documents:
    - type: cmr
      number: В-77
      date: 2026-11-18
      issuer: ООО «Пример»
  route:
    - role: departure
      country: XXX
  transport:
    - mode: road
      plate: А 000 АА
  detection:
    method: risk-profile
  intended_product: heroin
  backtracking_wanted: true
  backtracking_request: Кто изготовил партию
  notification_number: ПЭУ-9
  circumstances: Всё вымышлено
""",
    "information-request": """\
content:
  reference: ЗАП-21
  subject: Машина и груз вымышленного дела
  purposes: [investigate, locate]
  offence_types: [smuggling, organised-group]
  facts: |-
    Машина замечена у вымышленного поста.
    Груз не заявлен.
  vehicles:
    - plate: А 000 АА
      country: KAZ
      vin: 1M8GDM9AXKP042788
      means: truck
      make: Вымысел-5
      note: синий тент
  vessels:
    - name: Образец
      imo_number: "9074729"
      flag: AZE
  containers:
    - number: CSQU3054383
      seals: [ПЛ-1]
      note: повреждён
  seals: [ПЛ-2]
  consignments:
    - description: Лук в мешках
      documents: [CMR 77]
      air_waybill: 000-12345675
      tir_carnet: ВХ000
      flight: ВЫМ 1
      origin: AFG
      destination: KAZ
  substances:
    - as_named: порошок
      drug_group: opioids
      drug_type: heroin
      form: powder
      logo: «777»
      note: в брикетах
  places:
    - country: TJK
      town: Примерск
  questions:
    - number: 1
      text: Чья машина?
  why_addressee: Груз шёл через вас
  deadline: 2026-12-05
  use_limits: Только для розыска
  earlier_requests:
    - addressee: Вымышленное бюро
      date: 2026-10
      outcome: ответа нет
""",
    "pre-export-notification": """\
content:
  reference: ПЭУ-9
  authority: Вымышленный комитет
  exporter:
    name: АО «Пример»
    country: KAZ
    address: Примерск, 1
    licence_number: Л-1
  importer:
    name: ООО «Образец»
    country: UZB
    address: Примерск, 2
  consignee:
    name: Завод «Вымысел»
    country: UZB
    address: Вымышленск, 3
  chemicals:
    - as_named: Перманганат калия
      cas_number: 7722-64-7
      hs_code: "284161"
      control: table-ii
      quantity: 20 t
  dispatch_date: 2026-12-10
  entry_point: Вымышленный пост
  transit_countries: [KGZ]
  transport:
    - mode: rail
  export_permit: Э-1
  import_permit: И-1
  intended_use: Очистка воды
  reply_by: 2026-12-05
  remarks: нет
""",
    "pre-export-reply": """\
in_reply_to: 0192f0c1
content:
  reference: ОТВ-3
  reply: objection
  grounds: [importer-denies, documents]
  text: Завод такого заказа не делал
""",
    "pre-export-arrival": """\
in_reply_to: 0192f0c1
content:
  reference: ПРИБ-4
  status: short
  arrived_at: 2026-11-22
  entry_point: Вымышленный пост
  chemicals:
    - as_named: Перманганат калия
      quantity: 18 t
  consignee_confirmed: true
  difference: Недостаёт двух тонн
  documents:
    - type: rail-waybill
      number: "1"
""",
    "legal-assistance": """\
content:
  reference: МП-5
  requesting_authority: Вымышленная прокуратура
  central_authority: Вымышленный центральный орган
  addressed_authority: Центральный орган соседей
  subject: Дело о вымышленной партии
  offence: Статья 000 вымышленного кодекса
  facts: Изложены в подлиннике
  assistance: [testimony, records]
  assistance_text: Допросить свидетеля
  purposes: [prosecute]
  confidentiality: confidential
  time_limit: 2027-02-01
  time_limit_reason: Срок содержания под стражей
  original:
    way: central-authorities
    sent_date: 2026-11-19
    number: 12/34
    languages: русский
""",
    "legal-assistance-status": """\
in_reply_to: 0192f0c1
content:
  reference: ИСП-6
  status: postponed
  authority: Вымышленный суд
  date: 2026-11-21
  text: Идёт собственное расследование
  expected: 2027-03-01
""",
    "financial-request": """\
content:
  reference: ФЗ-8
  subject: Счета вымышленной компании
  purposes: [trace-assets]
  facts: Перечислены средства
  predicate_offence: Сбыт наркотиков
  predicate_link: Те же лица и даты
  questions:
    - number: 1
      text: Кто владеет счётом?
    - number: 2
      text: Каков остаток?
  period_from: 2026-01
  period_to: 2026-10
  onward_uses:
    - authority: Вымышленный следственный отдел
      country: KAZ
      purpose: prosecute
      reason: для обвинения
  deadline: 2026-12-30
  use_limits: Только для сведения
  earlier_requests:
    - addressee: Вымышленная группа
      date: 2026-09
      outcome: нет ответа
annex:
  accounts:
    - number: KZ00VYMYSEL
      institution: Вымышленный банк
""",
    "financial-answer": """\
in_reply_to: 0192f0c1
content:
  reference: ФО-9
  answers:
    - question_number: 1
      status: full
      text: ООО «Вымысел»
    - question_number: 2
      status: refused
      refusal: third-party-consent
  onward_decisions:
    - use:
        authority: Вымышленный следственный отдел
        country: KAZ
        purpose: prosecute
      decision: granted
      until: 2027-05-01
      conditions: Без ссылки на источник
    - use:
        authority: Вымышленный суд
        country: KAZ
        purpose: prosecute
      decision: refused
      refusal: ongoing-investigation
  remarks: нет
  use_limits: Только для розыска активов
""",
    "sample-request": """\
content:
  reference: ОБР-1
  purpose: profiling
  reason: Сравнить происхождение
  samples:
    - number: "1"
      as_named: героин
      drug_group: opioids
      drug_type: heroin
      form: powder
      quantity: 5 g
      origin: TJK-2026-1
  laboratory: Вымышленная лаборатория
  after_use: destroy
  import_permit: И-2
  deadline: 2026-12-20
""",
    "sample-decision": """\
in_reply_to: 0192f0c1
content:
  reference: ОБР-2
  decision: agreed-part
  sample_numbers: ["1"]
  use_limits: Только профилирование
  export_permit: Э-2
""",
    "sample-handover": """\
in_reply_to: 0192f0c1
content:
  act_number: АКТ-1
  handed_over_at: 2026-11-21T10:00+05:00
  place:
    country: TJK
    town: Примерск
  given_by: Вымышленное агентство, эксперт
  taken_by: Вымышленная лаборатория, курьер
  samples:
    - number: "1"
      as_named: героин
      drug_group: opioids
      quantity: 5 g
      seal: ПЛ-17
  courier: officer
  courier_reference: ПР-5
  use_limits: Профилирование, более ничего
  after_use: destroy
annex:
  persons:
    - surname: Вымышленный
      role: official
      category: other
""",
    "sample-receipt": """\
in_reply_to: 0192f0c1
content:
  act_number: АКТ-2
  received_at: 2026-11-22
  received_by: Вымышленная лаборатория, эксперт
  samples:
    - number: "1"
      quantity: 4.98 g
      seal_state: broken
      note: Надорвана нить
  remarks: взвешено дважды
""",
    "sample-destruction": """\
in_reply_to: 0192f0c1
content:
  act_number: АКТ-3
  destroyed_at: 2026-11-22
  place:
    country: KAZ
  method: incineration
  authority: Вымышленная лаборатория
  samples:
    - number: "1"
      destroyed: 4 g
      used: 0.98 g
  witnesses: 3
""",
}
"""Kind → what follows the head of its draft."""


def draft(kind: str) -> str:
    """Return the whole draft of a kind."""
    return f"kind: {kind}\n{HEAD}{EXAMPLES[kind]}"
