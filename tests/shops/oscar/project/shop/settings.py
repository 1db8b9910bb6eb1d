"""The settings of oscar's 'Building your own shop' guide.

Overridden in oscar's documented way: which tax there is (`shop.partner`) and what shipping costs (`shop.shipping`).
Views and templates are oscar's own.
"""
from pathlib import Path
from oscar.defaults import *  # noqa
from oscar import INSTALLED_APPS as OSCAR_APPS

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "demo-shop-not-secret"
DEBUG = False
ALLOWED_HOSTS = [".localhost", "127.0.0.1"]
OVERRIDDEN = {
    "oscar.apps.partner.apps.PartnerConfig": "shop.partner.apps.PartnerConfig",
    "oscar.apps.shipping.apps.ShippingConfig": "shop.shipping.apps.ShippingConfig",
}
assert set(OVERRIDDEN) <= set(OSCAR_APPS)
INSTALLED_APPS = [OVERRIDDEN.get(app, app) for app in OSCAR_APPS] + ["sorl.thumbnail"]
MIGRATION_MODULES = {"partner": "oscar.apps.partner.migrations", "shipping": "oscar.apps.shipping.migrations"}
SITE_ID = 1
MIDDLEWARE = [
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.debug",
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
        "oscar.apps.search.context_processors.search_form",
        "oscar.apps.checkout.context_processors.checkout",
        "oscar.apps.communication.notifications.context_processors.notifications",
        "oscar.core.context_processors.metadata",
        "shop.context.tax",
    ]},
}]
AUTHENTICATION_BACKENDS = ("oscar.apps.customer.auth_backends.EmailBackend",
                           "django.contrib.auth.backends.ModelBackend")
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.whoosh_backend.WhooshEngine",
                                    "PATH": str(BASE_DIR / "whoosh")}}
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3",
                         "ATOMIC_REQUESTS": True, "OPTIONS": {"timeout": 20}}}
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static"
MEDIA_URL = "/media/"
MEDIA_ROOT = BASE_DIR / "media"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
OSCAR_SHOP_NAME = "Oscar demo"
OSCAR_DEFAULT_CURRENCY = "EUR"
OSCAR_ALLOW_ANON_CHECKOUT = True
OSCAR_INITIAL_ORDER_STATUS = OSCAR_INITIAL_LINE_STATUS = "Pending"
OSCAR_ORDER_STATUS_PIPELINE = {"Pending": ("Being processed", "Cancelled"), "Being processed": (), "Cancelled": ()}
