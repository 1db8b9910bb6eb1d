"""Four products, one of them over 1,000, and a voucher for 10 % off."""
from datetime import timedelta
from decimal import Decimal as D

from django.utils import timezone
from oscar.core.loading import get_model

Product, ProductClass = get_model("catalogue", "Product"), get_model("catalogue", "ProductClass")
Category, ProductCategory = get_model("catalogue", "Category"), get_model("catalogue", "ProductCategory")
Partner, StockRecord = get_model("partner", "Partner"), get_model("partner", "StockRecord")
Range, Condition = get_model("offer", "Range"), get_model("offer", "Condition")
Benefit, Offer = get_model("offer", "Benefit"), get_model("offer", "ConditionalOffer")
Country, Voucher = get_model("address", "Country"), get_model("voucher", "Voucher")

ITEMS = [("Desk lamp", "LAMP-1", D("39.90")), ("Oak writing desk", "DESK-1", D("1249.95")),
         ("Fountain pen “Noir” & ink", "PEN-7", D("7.00")), ("Notebook A5", "NB-A5", D("12.34"))]
VOUCHER = "TENOFF"


def run():
    Country.objects.filter(iso_3166_1_a2__in=["GB", "US", "DE", "FR"]).update(is_shipping_country=True)
    if not Product.objects.exists():
        products()
    if not Voucher.objects.exists():
        voucher()


def products():
    kind = ProductClass.objects.create(name="Goods", requires_shipping=True, track_stock=True)
    category = Category.add_root(name="Office")
    partner = Partner.objects.create(name="Warehouse")
    for title, upc, price in ITEMS:
        product = Product.objects.create(product_class=kind, title=title, upc=upc, structure="standalone", description=title)
        ProductCategory.objects.create(product=product, category=category)
        StockRecord.objects.create(product=product, partner=partner, partner_sku=upc, price=price,
                                   price_currency="EUR", num_in_stock=100000)


def voucher():
    everything = Range.objects.create(name="Everything", includes_all_products=True)
    offer = Offer.objects.create(
        name="Ten per cent off", offer_type=Offer.VOUCHER,
        condition=Condition.objects.create(range=everything, type=Condition.COUNT, value=1),
        benefit=Benefit.objects.create(range=everything, type=Benefit.PERCENTAGE, value=10))
    now = timezone.now()
    Voucher.objects.create(name="Ten per cent off", code=VOUCHER, usage=Voucher.MULTI_USE,
                           start_datetime=now - timedelta(days=1), end_datetime=now + timedelta(days=3650)).offers.add(offer)
