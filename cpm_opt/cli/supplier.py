"""`cpm supplier`: scores and tiers of suppliers."""

from __future__ import annotations

from cpm_opt.cli.options import Instance, Json, Plot


def supplier(instance: Instance, plot: Plot = None, json: Json = False) -> int:
    """Score suppliers by declared criteria, put them in tiers, and tell what would change the order."""
    from cpm_opt.cli.boundary import DONE
    from cpm_opt.cli.output import check_plot, check_words, draw, show, write, write_json
    from cpm_opt.places import find_instance
    from cpm_opt.report.supplier import supplier_charts, supplier_facts, supplier_report
    from cpm_opt.study.supplier import supplier_portfolio
    from cpm_opt.tables import read_instance

    check_words(instance=instance)
    check_plot(plot)
    tables = read_instance(find_instance(instance))
    found = supplier_portfolio(tables)
    draw(plot, supplier_charts(found, tables.info))
    if json:
        write_json({**supplier_facts(found, tables.info), "plot": None if plot is None else str(plot)})
    else:
        show(supplier_report(found, tables.info))
        if plot is not None:
            write(f"\nPlot: {plot}")
    return DONE
