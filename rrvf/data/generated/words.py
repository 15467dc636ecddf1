"""Words and colours of generated charts and pages. After a change here increase VERSION of every generator."""

from __future__ import annotations

import string

#: Characters that the vision encoder learns to tell apart.
CHARACTERS = string.ascii_letters + string.digits + ".-"

#: Titles, axis labels and series names of the generated charts.
TOPICS = (
    "Sales Revenue Growth Rate Annual Monthly Output Energy Rainfall Traffic Users Visits Score Income Budget Cost "
    "Price Yield Export Import Demand Supply Weight Height Speed Load Usage Noise Signal Error Accuracy Loss Profit "
    "Margin Share Index Volume Depth Flow Power Time Year Month Region Group Value Count Level Total Mean Ratio "
    "Distance"
).split()

#: Category names of the generated charts. Each chart uses one list.
CATEGORIES = (
    "A B C D E F".split(),
    "North South East West Central Coast".split(),
    "Jan Feb Mar Apr May Jun".split(),
    "Mon Tue Wed Thu Fri Sat".split(),
    "2018 2019 2020 2021 2022 2023".split(),
    "Fox Elk Owl Bee Cat Ant".split(),
)

#: Words of the generated pages.
BRANDS = "Acme Nova Orbit Pixel Verde Atlas Lumen Quartz Delta Harbor".split()
SECTIONS = "Home About Blog Shop Contact Pricing Team Docs News Help".split()
PAGE_WORDS = (
    "Fresh Simple Modern Fast Secure Smart Global Local Digital Creative Tools Ideas Design Travel Coffee Music "
    "Books Health Garden Finance Learn Build Share Explore Discover Plan Track Save Join Start Read More Sign Up "
    "Order Now Buy Search Submit Send Name Email Phone City Price Rating Stock Item Qty Open Closed New Sale Free "
    "Guide Course Menu Contact our team today for the best quality with every day easy work and great service from "
    "people you trust"
).split()

WORDS = sorted({*TOPICS, *(c for names in CATEGORIES for c in names), *BRANDS, *SECTIONS, *PAGE_WORDS})

#: Series colours: matplotlib's cycle, which only matplotlib knows, and CSS names, which browsers know too.
SERIES_COLOURS = (
    "tab:blue tab:orange tab:green tab:red tab:purple tab:brown tab:pink tab:gray tab:olive tab:cyan "
    "gold navy teal black salmon"
).split()

#: Page colours.
PALETTE = "navy teal crimson indigo green darkorange purple steelblue slategray maroon black".split()
