from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("benchmarks", "0005_sort_keys"),
        ("builds", "0002_runners_and_attempts"),
        ("repositories", "0002_proof_keys_and_watch"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="result",
            name="leaderboard",
        ),
        migrations.AddIndex(
            model_name="result",
            index=models.Index(
                condition=models.Q(("rank_value__isnull", False), ("superseded_by", None)),
                fields=[
                    "benchmark",
                    "-rank_value",
                    "id",
                    "repository",
                    "tier",
                    "extra_training_data",
                    "speed_condition",
                    "search_name",
                    "superseded_by",
                ],
                name="leaderboard",
            ),
        ),
        migrations.AddIndex(
            model_name="result",
            index=models.Index(
                condition=models.Q(("rank_value__isnull", False), ("superseded_by", None)),
                fields=["benchmark", "-rank_value", "repository", "superseded_by"],
                name="places",
            ),
        ),
        migrations.AddIndex(
            model_name="result",
            index=models.Index(
                condition=models.Q(("rank_value__isnull", False), ("superseded_by", None)),
                fields=[
                    "benchmark",
                    "second_value",
                    "id",
                    "repository",
                    "tier",
                    "extra_training_data",
                    "speed_condition",
                    "search_name",
                    "rank_value",
                    "superseded_by",
                ],
                name="leaderboard_by_second",
            ),
        ),
        migrations.AddIndex(
            model_name="result",
            index=models.Index(
                condition=models.Q(("rank_value__isnull", False), ("superseded_by", None)),
                fields=[
                    "benchmark",
                    "parameters",
                    "id",
                    "repository",
                    "tier",
                    "extra_training_data",
                    "speed_condition",
                    "search_name",
                    "rank_value",
                    "superseded_by",
                ],
                name="leaderboard_by_parameters",
            ),
        ),
        migrations.AddIndex(
            model_name="result",
            index=models.Index(
                condition=models.Q(("rank_value__isnull", False), ("superseded_by", None)),
                fields=[
                    "benchmark",
                    "macs",
                    "id",
                    "repository",
                    "tier",
                    "extra_training_data",
                    "speed_condition",
                    "search_name",
                    "rank_value",
                    "superseded_by",
                ],
                name="leaderboard_by_macs",
            ),
        ),
        migrations.AddIndex(
            model_name="result",
            index=models.Index(
                condition=models.Q(("rank_value__isnull", False), ("superseded_by", None)),
                fields=[
                    "benchmark",
                    "speed_condition",
                    "speed",
                    "id",
                    "repository",
                    "tier",
                    "extra_training_data",
                    "search_name",
                    "rank_value",
                    "superseded_by",
                ],
                name="leaderboard_by_speed",
            ),
        ),
        migrations.AddIndex(
            model_name="result",
            index=models.Index(
                condition=models.Q(("rank_value__isnull", False), ("superseded_by", None)),
                fields=[
                    "benchmark",
                    "model_name",
                    "id",
                    "repository",
                    "tier",
                    "extra_training_data",
                    "speed_condition",
                    "search_name",
                    "rank_value",
                    "superseded_by",
                ],
                name="leaderboard_by_model",
            ),
        ),
        migrations.AddIndex(
            model_name="result",
            index=models.Index(
                condition=models.Q(("rank_value__isnull", False), ("superseded_by", None)),
                fields=[
                    "benchmark",
                    "created_at",
                    "id",
                    "repository",
                    "tier",
                    "extra_training_data",
                    "speed_condition",
                    "search_name",
                    "rank_value",
                    "superseded_by",
                ],
                name="leaderboard_by_date",
            ),
        ),
        migrations.AddIndex(
            model_name="result",
            index=models.Index(fields=["pwc_id"], name="results_of_a_paper_by_pwc"),
        ),
    ]
