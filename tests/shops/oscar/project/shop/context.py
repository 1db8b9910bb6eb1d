"""Switches on what oscar's templates can show and no view of oscar's sets."""


def tax(request):
    return {"show_tax_separately": True}
