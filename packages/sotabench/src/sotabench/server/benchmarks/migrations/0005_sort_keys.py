"""Results repeat the sort keys of their names and figures; those that are there are given theirs."""

import hashlib

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Lower


def fill(apps: Apps, _editor: object) -> None:
    Result, Figure = apps.get_model("benchmarks", "Result"), apps.get_model("benchmarks", "Figure")
    figures = Figure.objects.filter(result=OuterRef("pk"))

    def value(name: str) -> Subquery:
        return Subquery(figures.filter(name=name).values("value")[:1])

    Result.objects.update(
        search_name=Lower("model_name"),
        parameters=value("Parameters"),
        macs=value("MACs"),
        speed=value("Samples per Second"),
    )
    speeds = Figure.objects.filter(name="Samples per Second").order_by()
    for condition in list(speeds.values_list("condition", flat=True).distinct()):
        key = hashlib.sha256(condition.encode()).hexdigest()[:32]
        Result.objects.filter(pk__in=speeds.filter(condition=condition).values("result")).update(speed_condition=key)
    for benchmark in apps.get_model("benchmarks", "Benchmark").objects.all():
        names = benchmark.metrics.order_by("position").values_list("name", flat=True)
        if len(names) > 1:
            Result.objects.filter(benchmark=benchmark).update(second_value=value(names[1]))
    # A database lowers other letters than Python does.
    for pk, name in Result.objects.values_list("pk", "model_name").iterator():
        if not name.isascii():
            Result.objects.filter(pk=pk).update(search_name=name.casefold()[:300])


class Migration(migrations.Migration):
    dependencies = [
        ("benchmarks", "0004_data_copies"),
    ]

    operations = [
        migrations.AddField(
            model_name="result",
            name="macs",
            field=models.FloatField(help_text="as declared", null=True),
        ),
        migrations.AddField(
            model_name="result",
            name="parameters",
            field=models.FloatField(help_text="as declared", null=True),
        ),
        migrations.AddField(
            model_name="result",
            name="search_name",
            field=models.CharField(blank=True, help_text="the model's name without upper case", max_length=300),
        ),
        migrations.AddField(
            model_name="result",
            name="second_value",
            field=models.FloatField(help_text="the figure of the benchmark's second metric", null=True),
        ),
        migrations.AddField(
            model_name="result",
            name="speed",
            field=models.FloatField(help_text="samples a second, as declared", null=True),
        ),
        migrations.AddField(
            model_name="result",
            name="speed_condition",
            field=models.CharField(blank=True, help_text="key of what it was measured under", max_length=32),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
