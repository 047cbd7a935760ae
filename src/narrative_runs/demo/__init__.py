"""The demo's data: invented incidents, and the workbook that holds them."""
