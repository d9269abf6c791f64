"""Machine names for headers, Chinese ones included."""

from __future__ import annotations

import re
import unicodedata

from catalog.schema import NAME

LENGTH = 40
_WORDS = {
    "统一社会信用代码": "credit_code", "身份证号码": "id_number", "身份证号": "id_number",
    "身份证": "id_card", "法定代表人": "legal_representative", "联系电话": "phone", "手机号码": "mobile",
    "手机号": "mobile", "电话号码": "phone", "电子邮箱": "email", "联系人": "contact",
    "姓名": "person_name", "名称": "name", "性别": "gender", "年龄": "age", "出生日期": "birth_date",
    "民族": "ethnicity", "学历": "education", "职业": "occupation", "婚姻状况": "marital_status",
    "地址": "address", "住址": "address", "邮政编码": "postcode", "邮编": "postcode", "企业": "enterprise",
    "公司": "company", "单位": "organization", "用户": "customer", "客户": "customer", "居民": "resident",
    "人员": "person", "家庭": "household", "户号": "household_id", "户籍": "registered", "常住": "resident",
    "建筑": "building", "编号": "id", "代码": "code", "编码": "code", "流水号": "serial", "序号": "serial",
    "工单号": "ticket_id", "工单": "ticket", "年份": "year", "年度": "year", "月份": "month",
    "季度": "quarter", "日期": "date", "时间": "time", "年末": "year_end", "省份": "province",
    "城市": "city", "地区": "region", "区县": "district", "街道": "street", "社区": "community",
    "行政区域": "district", "行政区": "district", "行业": "industry", "类别": "category", "类型": "type",
    "分类": "category", "等级": "level", "级别": "level", "状态": "status", "来源": "source",
    "渠道": "channel", "部门": "department", "内容": "content", "标题": "title", "备注": "remark",
    "是否": "is", "数量": "quantity", "次数": "times", "件数": "cases", "人数": "persons",
    "人口数": "population", "人口": "population", "户数": "households", "金额": "amount", "总额": "total",
    "余额": "balance", "收入": "revenue", "支出": "expenditure", "利润": "profit", "税额": "tax",
    "贷款": "loans", "存款": "deposits", "工资": "wage", "用电量": "electricity_use", "用水量": "water_use",
    "用气量": "gas_use", "电量": "electricity", "面积": "area", "土地": "land", "价格": "price",
    "比重": "share", "占": "share_of", "生产总值": "gdp", "国内": "domestic", "增加值": "added_value",
    "第一产业": "primary_sector", "第二产业": "secondary_sector", "第三产业": "tertiary_sector",
    "进出口": "trade", "出口": "exports", "进口": "imports", "一般公共预算": "budget", "教育": "education",
    "科学技术": "science", "金融机构": "banks", "各项": "all", "普通高等学校": "universities",
    "在校": "enrolled", "学生数": "students", "移动电话": "mobile_phone", "互联网": "internet",
    "宽带": "broadband", "接入": "access", "社保": "social_insurance", "参保": "insured", "信用": "credit",
    "评分": "score", "得分": "score", "经度": "longitude", "纬度": "latitude", "站点": "station",
    "监测": "monitoring", "温度": "temperature", "湿度": "humidity", "风向": "wind_direction",
    "风速": "wind_speed",
}  # fmt: skip
_LONGEST = max(len(word) for word in _WORDS)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BRACKETS = re.compile(r"[(（\[【].*")


def machine_names(headers: tuple[str, ...], reserved: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """A distinct SQL name per header, in order. A Chinese header that the glossary does not cover becomes c<place>.

    `reserved` are words the engine keeps for itself: they get "_value" appended.
    """
    names: list[str] = []
    for place, header in enumerate(headers, 1):
        base = _base(header, place)
        base = f"{base}_value" if base in reserved else base
        name, number = base, 1
        while name in names:
            number += 1
            name = f"{base}_{number}"
        names.append(name)
    return tuple(names)


def _base(header: str, place: int) -> str:
    text = unicodedata.normalize("NFKC", header)
    if re.search(r"[^\x00-\x7f]", text):
        text = _translate(_BRACKETS.sub("", text))
    words = re.findall(r"[a-z0-9]+", _CAMEL.sub(" ", text).lower())
    name = "_".join(words)[:LENGTH].rstrip("_")
    if not name:
        return f"c{place}"
    return name if NAME.match(name) else f"c{place}_{name}"[:LENGTH].rstrip("_")


def _translate(text: str) -> str:
    """The glossary's words for `text`, longest first; "" when less than half of its Chinese is covered."""
    words, place, known, unknown = [], 0, 0, 0
    while place < len(text):
        for length in range(min(_LONGEST, len(text) - place), 0, -1):
            word = _WORDS.get(text[place : place + length])
            if word:
                words.append(f" {word} ")
                known += length
                place += length
                break
        else:
            words.append(text[place])
            unknown += text[place] > "\x7f"
            place += 1
    return "".join(words) if known > unknown else re.sub(r"[^\x00-\x7f]", " ", text) * (not known)
