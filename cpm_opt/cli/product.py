"""`cpm product`: the growth and share matrix of products."""

from __future__ import annotations

from cpm_opt.cli.options import Instance, Json, Plot


def product(instance: Instance, plot: Plot = None, json: Json = False) -> int:
    """Place products in the growth and share matrix, with what each brings or takes in cash, and the balance of it."""
    from cpm_opt.cli.boundary import DONE
    from cpm_opt.cli.output import check_plot, check_words, draw, show, write, write_json
    from cpm_opt.places import find_instance
    from cpm_opt.report.product import product_charts, product_facts, product_report
    from cpm_opt.study.product import product_portfolio
    from cpm_opt.tables import read_instance

    check_words(instance=instance)
    check_plot(plot)
    tables = read_instance(find_instance(instance))
    found = product_portfolio(tables)
    draw(plot, product_charts(found, tables.info))
    if json:
        write_json({**product_facts(found, tables.info), "plot": None if plot is None else str(plot)})
    else:
        show(product_report(found, tables.info))
        if plot is not None:
            write(f"\nPlot: {plot}")
    return DONE
