"""One shipping method, taxed like the goods."""
from decimal import Decimal as D

from oscar.apps.shipping import methods, repository


class Standard(methods.FixedPrice):
    code = "standard"
    name = "Standard delivery"
    charge_excl_tax = D("4.99")
    charge_incl_tax = D("5.99")


class Repository(repository.Repository):
    methods = (Standard(),)
